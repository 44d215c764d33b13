"""Every view of the staking, read from its ABI, in every kind of state."""

from itertools import product
from typing import Any

from scripts.deployment_plan import OPEN
from tests.contracts.staking.bench import LOCKER, Bench

ZERO = "0x" + "00" * 20


def ask_everything(bench: Bench) -> int:
    """Calls each view with each combination of arguments; how many answers there were."""
    accounts = [ZERO, *(bench.address(one) for one in ("node", "staker", "stranger", "hot_signer"))]
    tickets, times = [0, 1, 2, 99, 2**256 - 1], [0, 1, bench.now - 1]
    asked = 0
    for entry in bench.staking.abi:
        if entry["type"] != "function" or entry["stateMutability"] not in ("view", "pure"):
            continue
        choices: list[list[Any]] = []
        for field in entry["inputs"]:
            numbers = times if field["name"] == "time" else tickets
            choices.append(accounts if field["type"] == "address" else numbers)
        for arguments in product(*choices):
            bench.call(bench.staking.functions[entry["name"]](*arguments))
            asked += 1
    return asked


def test_every_view_answers_in_every_state(bench: Bench) -> None:
    """SPEC 8.72: nothing that can be asked reverts: before the first stake, with locks, tickets and rewards,
    after a slash of all own stake, and when everybody has left."""
    asked = ask_everything(bench)
    bench.stake("node", 4 * OPEN)
    bench.stake("node", 90 * OPEN, staker="staker")
    bench.authorize("node", "hot_signer")
    bench.do(LOCKER, "lock", "node", OPEN)
    bench.unbond("node", OPEN)
    bench.unbond("staker", 10**6)
    bench.add_rewards(1_000)
    assert ask_everything(bench) == asked > 100
    bench.slash("node", 40 * OPEN)
    assert ask_everything(bench) == asked
    bench.unbond("staker")
    bench.pass_to(bench.now + 1_000)
    for ticket in (1, 2, 3):
        bench.do("node" if ticket == 1 else "staker", "withdraw", ticket)
    assert ask_everything(bench) == asked
