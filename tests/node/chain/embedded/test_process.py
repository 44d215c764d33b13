"""The chain as the child process it is in use: killed, restarted, stopped."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from tests.node.chain.support import ROOT, ChainProcess, chain_process, chain_with_token


def test_a_killed_chain_reopens_at_its_last_block(tmp_path: Path) -> None:
    """SPEC 0.45"""
    file = str(tmp_path / "chain.sqlite")
    head, balances = None, None
    for _ in range(3):
        with chain_process("--db", file) as running:
            web3 = running.web3()
            sender, to = web3.eth.accounts[:2]
            if head is not None:
                assert web3.eth.get_block("latest") == head
                assert [web3.eth.get_balance(account) for account in (sender, to)] == balances
            for _ in range(5):
                web3.eth.send_transaction({"from": sender, "to": to, "value": 7})
            head = web3.eth.get_block("latest")
            balances = [web3.eth.get_balance(account) for account in (sender, to)]
            running.kill()
    assert head is not None
    assert head["number"] == 15


def test_a_kill_amid_blocks_leaves_a_whole_chain(tmp_path: Path) -> None:
    """SPEC 0.45: whenever the kill hits, the file opens and every block has its parent and receipts."""
    file = str(tmp_path / "chain.sqlite")
    acknowledged = 0
    for rounds in range(3):
        running = ChainProcess("--db", file)
        web3 = running.web3()
        assert web3.eth.block_number >= acknowledged
        sender, to = web3.eth.accounts[:2]
        for _ in range(3 + rounds):
            web3.eth.send_transaction({"from": sender, "to": to, "value": 1, "gas": 21_000})
            acknowledged = web3.eth.block_number
        # Sent and not awaited: the kill falls somewhere in its execution or commit.
        body = {"from": sender, "to": to, "value": "0x1", "gas": hex(21_000)}
        request = json.dumps({"id": 1, "method": "eth_sendTransaction", "params": [body]})
        flood = subprocess.Popen(
            [sys.executable, "-c", FLOOD, running.url, request], stdout=subprocess.PIPE, text=True, cwd=ROOT
        )
        assert flood.stdout is not None
        flood.stdout.readline()
        running.kill()
        flood.communicate(timeout=30)
    with chain_process("--db", file) as running:
        web3 = running.web3()
        parent = None
        for number in range(web3.eth.block_number + 1):
            block = web3.eth.get_block(number)
            assert parent is None or block["parentHash"] == parent
            for digest in block["transactions"]:
                assert web3.eth.get_transaction_receipt(digest)["blockHash"] == block["hash"]
            parent = block["hash"]
        assert web3.eth.get_transaction_count(web3.eth.accounts[0]) == web3.eth.block_number >= acknowledged


FLOOD = """
import sys, urllib.request
print("started", flush=True)
while True:
    request = urllib.request.Request(sys.argv[1], sys.argv[2].encode(), {"Content-Type": "application/json"})
    try:
        urllib.request.urlopen(request).read()
    except OSError:
        break
"""


@pytest.mark.parametrize(
    ("failpoint", "survives"), [("chain.writing", False), ("chain.written", False), ("chain.committed", True)]
)
def test_a_kill_inside_the_commit_keeps_all_of_a_block_or_nothing(
    tmp_path: Path, failpoint: str, survives: bool
) -> None:
    """SPEC 0.45: state, index of transactions and logs, and clock move together."""
    file = str(tmp_path / "chain.sqlite")
    # The commits: genesis, the token's creation, the first transfer, the second.
    running = ChainProcess("--db", file, failpoint=f"{failpoint}:kill:4")
    web3 = running.web3()
    chain = chain_with_token(web3)
    sender, to = web3.eth.accounts[:2]
    transfer = chain.contract("OpenToken").functions.transfer(to, 5)
    transfer.transact({"from": sender, "gas": 100_000})
    with pytest.raises(requests.ConnectionError):
        transfer.transact({"from": sender, "gas": 100_000})
    assert running.process.wait(60) == -signal.SIGKILL
    with chain_process("--db", file) as reopened:
        web3 = reopened.web3()
        assert web3.eth.block_number == (3 if survives else 2)
        blocks = [web3.eth.get_block(number) for number in range(web3.eth.block_number + 1)]
        receipts = [
            web3.eth.get_transaction_receipt(digest) for block in blocks for digest in block["transactions"]
        ]
        logs = web3.eth.get_logs({"fromBlock": 0, "toBlock": "latest"})
        assert logs == [log for receipt in receipts for log in receipt["logs"]]
        balance = web3.eth.contract(address=transfer.address, abi=transfer.contract_abi).functions.balanceOf(
            to
        )
        assert balance.call() == 5 * (len(receipts) - 1)
        assert web3.eth.send_transaction({"from": sender, "to": to, "value": 1})


def test_sigterm_ends_it_cleanly_and_a_foreign_file_is_refused(tmp_path: Path) -> None:
    """SPEC 0.45"""
    file = tmp_path / "chain.sqlite"
    running = ChainProcess("--db", str(file))
    assert running.stop() == 0
    command = [sys.executable, "-m", "node.chain.embedded", "--port", "0", "--chain-id", "5", "--db"]
    refused = subprocess.run([*command, str(file)], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert refused.returncode == 2
    assert "another chain" in refused.stderr
    garbage = tmp_path / "garbage"
    garbage.write_bytes(b"this is no database " * 100)
    refused = subprocess.run([*command, str(garbage)], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert refused.returncode == 2
    assert "not a chain file" in refused.stderr


def test_the_banner_says_what_it_is(tmp_path: Path) -> None:
    """SPEC 0.45: nobody takes it for a network."""
    running = subprocess.Popen(
        [sys.executable, "-m", "node.chain.embedded", "--port", "0"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert running.stdout is not None
    running.stdout.readline()
    running.terminate()
    _, banner = running.communicate(timeout=60)
    assert "single-operator development chain" in banner


def test_an_interval_chain_makes_blocks_by_itself() -> None:
    """SPEC 0.41"""
    with chain_process("--block-time", "0.2") as running:
        web3 = running.web3()
        sender, to = web3.eth.accounts[:2]
        digests = [web3.eth.send_transaction({"from": sender, "to": to, "value": 1}) for _ in range(5)]
        receipts = [web3.eth.wait_for_transaction_receipt(digest, timeout=30) for digest in digests]
        assert len({receipt["blockNumber"] for receipt in receipts}) < 5
        assert [receipt["status"] for receipt in receipts] == [1] * 5
