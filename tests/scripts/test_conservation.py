"""The independent check of the money, against a real token on a real chain, and against a chain that lies."""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from web3 import HTTPProvider, Web3

from scripts.conservation import Conservation, measure
from scripts.demo_stages.devnet import Devnet, start_chain
from scripts.deployment_plan import DEVNET, deploy_with_web3

ROOT = Path(__file__).resolve().parents[2]
PEOPLE = tuple(f"0x{place:040x}" for place in range(0x1001, 0x1006))


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Devnet]:
    devnet = start_chain(tmp_path_factory.mktemp("chain"), "embedded")
    yield devnet
    devnet.stop()


@pytest.fixture(scope="module")
def token(chain: Devnet) -> str:
    web3 = Web3(HTTPProvider(chain.url))
    given = {account: 1_000 + place for place, account in enumerate(PEOPLE)}
    record = deploy_with_web3(web3, web3.eth.accounts[0], replace(DEVNET, allocations=given))
    address: str = record["contracts"]["OpenToken"]
    abi = json.loads((ROOT / "node/chain/artifacts/OpenToken.json").read_text())["abi"]
    contract = web3.eth.contract(address=Web3.to_checksum_address(address), abi=abi)
    contract.functions.burn(7).transact({"from": web3.eth.accounts[0]})
    return address


def test_balances_and_what_was_burnt_make_the_supply(chain: Devnet, token: str) -> None:
    """SPEC 8.80: balances + burnt = minted, to the wei."""
    found = measure(chain.url, token)
    assert found.holds
    assert (found.minted, found.burnt, found.holders) == (10**27, 7, len(PEOPLE) + 1)


def test_the_command_says_so_in_its_exit_code(chain: Devnet, token: str) -> None:
    command = [sys.executable, "scripts/conservation.py", "--rpc", chain.url, "--token", token]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and json.loads(done.stdout)["holds"] is True


@pytest.mark.parametrize("field", ["minted", "burnt", "balances", "total_supply"])
def test_a_single_wei_more_or_less_is_noticed(field: str) -> None:
    whole = Conservation(block=1, holders=2, minted=100, burnt=1, balances=99, total_supply=99)
    assert whole.holds
    for change in (-1, 1):
        assert not replace(whole, **{field: getattr(whole, field) + change}).holds


def test_a_killed_demos_chain_is_taken_up_again(tmp_path: Path) -> None:
    """SPEC 0.80: two chains never share one state."""
    first = start_chain(tmp_path, "embedded")
    again = start_chain(tmp_path, "embedded")
    assert (again.url, again.pid) == (first.url, first.pid)
    again.stop()
    third = start_chain(tmp_path, "embedded")
    assert third.pid != first.pid
    third.stop()
