"""Kill the node at every named point of one paid answer's life, start it again, and look at what became of
the money.

The promises (docs/adr/0008): at most one receipt per request, no paid answer lost, nothing paid twice, and
in the end every wei of the price with those who earned it, whatever was killed when.
"""

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from node.failpoints import VARIABLE
from node.store.database import open_database
from node.store.jobs import JobStore
from node.store.receipts import ReceiptStore
from protocol.parameters import BURN_ACCOUNT
from tests.integration.ledger_world import SETTINGS, LedgerWorld, Prepared, settings_json
from tests.node.chain.support import ROOT

BEFORE_THE_ANSWER = ("job.recorded", "generate.midstream", "result.persisted")
AFTER_THE_ANSWER = (
    "attribution.done",
    "receipt.in_transaction",
    "receipt.digest_committed",
    "receipt.signed",
    "receipt.stored",
    "voucher.signed",
)
# Transactions, in order: claim, statement, approval of the bond, commitment, finalization, rewards.
IN_SETTLEMENT = (
    *(f"transaction.{step}:kill:1" for step in ("saved", "sent", "mined")),
    *(
        pytest.param(f"transaction.{step}:kill:{number}", marks=pytest.mark.slow)
        for step in ("saved", "sent", "mined")
        for number in (2, 4)
    ),
    "claim.mined",
    "statement.published",
    "commit.sent",
    "finalize.sent",
    "reward.claim_sent",
)
FAILPOINT = re.compile(r'failpoint\("([a-z._]+)"\)')
READY_SECONDS = 60
TURNS = 12


class Gone(Exception):
    """The node died before it answered."""


@dataclass
class NodeProcess:
    process: "subprocess.Popen[str]"
    control: Path

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        connection = UnixConnection(self.control)
        try:
            connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
            answer = connection.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise Gone(path) from error
        finally:
            connection.close()
        assert answer.status == 200, text
        return dict(json.loads(text))

    def ended_by(self) -> int:
        return self.process.wait(READY_SECONDS)


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("node", timeout=READY_SECONDS)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(READY_SECONDS)
        self.sock.connect(str(self._path))


def launched(command: list[str], environment: dict[str, str]) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, *command], cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True
    )


def started(command: list[str], environment: dict[str, str]) -> "subprocess.Popen[str]":
    process = launched(command, environment)
    assert process.stdout is not None
    for line in process.stdout:
        if line == "ready\n":
            return process
    raise AssertionError(f"{command} ended with {process.wait()} before it was ready")


def ended(process: "subprocess.Popen[str]") -> None:
    if process.poll() is None:
        process.kill()
    process.wait()
    assert process.stdout is not None
    process.stdout.close()


@pytest.fixture(scope="module")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    path = tmp_path_factory.mktemp("worker") / "worker.sock"
    process = started(["-m", "tests.integration.worker_server", str(path), "a token"], dict(os.environ))
    yield path
    ended(process)


def node_command(
    world: LedgerWorld, prepared: Prepared, worker: Path, failpoint: str
) -> tuple[list[str], dict[str, str]]:
    # The test takes the settlement's turns itself, so that they come in a known order.
    settings = world.settings(prepared.folder, worker, settlement_poll=3_600.0)
    file = prepared.folder / "settings.json"
    file.write_text(settings_json(settings))
    return ["-m", "tests.integration.node_process", str(file)], {**os.environ, VARIABLE: failpoint}


@contextmanager
def running(
    world: LedgerWorld, prepared: Prepared, worker: Path, failpoint: str = ""
) -> Iterator[NodeProcess]:
    process = started(*node_command(world, prepared, worker, failpoint))
    try:
        yield NodeProcess(process, prepared.folder / "control.sock")
    finally:
        ended(process)


def live(node: NodeProcess, world: LedgerWorld, prepared: Prepared) -> dict[str, Any]:
    """One paid answer from the question to the last claim; Gone if the node dies on the way."""
    question = {"prompt": "who wrote this", "key": "one", "api_key": prepared.api_key}
    answer = node.post("/ask", question)
    node.post("/settled", {"id": answer["id"]})
    for _ in range(TURNS):
        if not node.post("/turn", {})["open"]:
            break
        world.advance(SETTINGS.epoch_length)
    else:
        raise AssertionError(f"not settled after {TURNS} turns")
    node.post("/claim", {})
    return answer


@pytest.mark.parametrize("failpoint", [*BEFORE_THE_ANSWER, *AFTER_THE_ANSWER, *IN_SETTLEMENT])
def test_a_node_killed_anywhere_pays_everyone_exactly_once(
    failpoint: str, world: LedgerWorld, prepared: Prepared, worker: Path
) -> None:
    """SPEC 6.40, 6.41, 6.42, 7.41: one receipt, one payment, nothing lost, exact to the wei."""
    before = balances(world)
    with running(world, prepared, worker, failpoint) as doomed:
        with pytest.raises(Gone):
            live(doomed, world, prepared)
        assert doomed.ended_by() == -signal.SIGKILL
    with running(world, prepared, worker) as node:
        answer = live(node, world, prepared)
    request_id, price = bytes.fromhex(answer["id"]), int(answer["finished"]["price"])
    check_one_receipt(prepared, request_id, price)
    check_money(world, prepared, before, price)


def test_every_failpoint_of_the_node_is_among_those_above() -> None:
    """SPEC 6.40: a place that nobody kills the node at is a place that nobody has looked at."""
    # The embedded chain is a process of its own, with crash tests of its own.
    modules = [path for path in (ROOT / "node").rglob("*.py") if "embedded" not in path.parts]
    named = {name for path in modules for name in FAILPOINT.findall(path.read_text())}
    killed_at = {*BEFORE_THE_ANSWER, *AFTER_THE_ANSWER}
    killed_at |= {str(getattr(one, "values", [one])[0]).partition(":")[0] for one in IN_SETTLEMENT}
    assert named - {"name"} == killed_at


def test_a_node_killed_again_and_again_while_it_recovers_still_issues_one_receipt(
    world: LedgerWorld, prepared: Prepared, worker: Path
) -> None:
    """SPEC 6.40: recovery may itself be killed at every step, and be begun anew."""
    before = balances(world)
    with running(world, prepared, worker, "result.persisted") as doomed:
        with pytest.raises(Gone):
            live(doomed, world, prepared)
        assert doomed.ended_by() == -signal.SIGKILL
    # Nobody asks again: what the node does now, it does by itself at its start.
    for failpoint in AFTER_THE_ANSWER:
        process = launched(*node_command(world, prepared, worker, failpoint))
        assert process.wait(READY_SECONDS) == -signal.SIGKILL, failpoint
        ended(process)
    with running(world, prepared, worker) as node:
        answer = live(node, world, prepared)
    price = int(answer["finished"]["price"])
    check_one_receipt(prepared, bytes.fromhex(answer["id"]), price)
    check_money(world, prepared, before, price)


def test_a_client_that_saw_the_answer_sees_the_same_one_after_a_crash(
    world: LedgerWorld, prepared: Prepared, worker: Path
) -> None:
    """SPEC 6.43: a complete answer is never made again."""
    question = {"prompt": "once only", "key": "same", "api_key": prepared.api_key}
    with running(world, prepared, worker, "receipt.digest_committed") as doomed:
        first = doomed.post("/ask", question)
        assert doomed.ended_by() == -signal.SIGKILL
    with running(world, prepared, worker) as node:
        assert node.post("/ask", question) == first


def balances(world: LedgerWorld) -> dict[str, int]:
    earners = [world.plain(actor) for actor in ("operator", "owner", "alice", "bob", "curator", "stranger")]
    contracts = ("OpenTimelock", "NodeStaking", "RewardDistributor", "PaymentChannels", "EpochSettlement")
    addresses = [*earners, *(world.record["contracts"][name] for name in contracts)]
    return {address: world.balance(address) for address in addresses}


def check_one_receipt(prepared: Prepared, request_id: bytes, price: int) -> None:
    database = open_database(prepared.folder / "node.sqlite")
    receipts = ReceiptStore(database)
    stored = receipts.get(request_id)
    assert receipts.totals() == (1, price)
    assert (stored.seq, stored.price, stored.cumulative) == (1, price, price)
    assert stored.signature is not None
    assert JobStore(database).counts() == {"receipted": 1}
    database.close()


def check_money(world: LedgerWorld, prepared: Prepared, before: dict[str, int], price: int) -> None:
    """The channel paid the price once; it left the distributor again, all of it; the burn is gone from the
    supply.
    """
    claimed = world.contract("PaymentChannels").functions.getChannel(prepared.channel_id).call()[4]
    distributor = world.contract("RewardDistributor")
    assert claimed == price
    assert distributor.functions.totalClaimed().call() == price
    after = balances(world)
    moved = {address: after[address] - before[address] for address in after}
    assert moved[distributor.address.lower()] == 0
    assert moved[world.record["contracts"]["PaymentChannels"]] == -price
    assert moved[world.record["contracts"]["EpochSettlement"]] == 0
    burnt = distributor.functions.claimed(world.web3.to_checksum_address(BURN_ACCOUNT)).call()
    # The operator's bond came back, so what all of them gained is the price less what was burnt.
    assert sum(moved.values()) == -burnt
    assert burnt == price * 50_000 // 1_000_000
