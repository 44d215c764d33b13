"""SIGKILL at every step of a send: after the restart the payment was made exactly once."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from node.failpoints import VARIABLE
from node.store.database import open_database
from tests.node.chain.support import ROOT, chain_process, chain_with_token


def run(url: str, database: Path, token: str, action: str, failpoint: str = "") -> int:
    command = [sys.executable, "-m", "tests.node.chain.crash_sender", url, str(database), token, action]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, VARIABLE: failpoint},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode in (0, -signal.SIGKILL), done.stderr
    return done.returncode


@pytest.mark.parametrize("failpoint", ["transaction.saved", "transaction.sent", "transaction.mined"])
def test_a_killed_send_is_done_exactly_once(tmp_path: Path, failpoint: str) -> None:
    """SPEC 0.51 and 0.59"""
    database = tmp_path / "node.sqlite"
    with chain_process() as running:
        chain = chain_with_token(running.web3())
        token = chain.deployment.address("OpenToken")
        contract, to = chain.contract("OpenToken"), chain.web3.eth.accounts[1]
        assert run(running.url, database, token, "send", failpoint) == -signal.SIGKILL
        sent_before_the_kill = failpoint != "transaction.saved"
        assert contract.functions.balanceOf(to).call() == (5 if sent_before_the_kill else 0)
        opened = open_database(database)
        saved = opened.execute("SELECT raw, nonce FROM transaction_attempts").fetchall()
        opened.close()
        assert len(saved) == 1
        for _ in range(2):
            assert run(running.url, database, token, "resume") == 0
            assert contract.functions.balanceOf(to).call() == 5
        mined = chain.web3.eth.get_block("latest")["number"]
        block = chain.web3.eth.get_block(mined, full_transactions=True)
        raw = chain.web3.eth.get_raw_transaction(block["transactions"][0]["hash"])  # type: ignore[index]
        assert bytes(raw) == saved[0]["raw"], "what was saved is what was mined"


def test_without_a_failpoint_the_same_process_just_sends(tmp_path: Path) -> None:
    """SPEC 0.59: an unset or foreign name stops nothing."""
    with chain_process() as running:
        chain = chain_with_token(running.web3())
        token = chain.deployment.address("OpenToken")
        assert run(running.url, tmp_path / "node.sqlite", token, "send", "some.other.point") == 0
        assert chain.contract("OpenToken").functions.balanceOf(chain.web3.eth.accounts[1]).call() == 5
