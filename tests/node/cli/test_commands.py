"""The commands against a real chain: what they say happened is what the chain says."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from node.cli.access import open_chain
from node.config import load_config
from node.models.contracts import ModelStatus
from protocol.cid import cid_of_raw
from protocol.tunables import TUNABLES
from tests.node.cli.conftest import Terminal

ROOT = Path(__file__).resolve().parents[3]
OPEN = 10**18
OPERATOR = "0x70997970c51812dc3a010c7d01b50e0d17dc79c8"
BUNDLE = cid_of_raw(b"a bundle")
PAYER = "0x3c44cdddb6a900fa2b585dd299e03d12fa4293bc"


def contract(terminal: Terminal, name: str):
    return open_chain(load_config(None, terminal.environment)).contract(name)


def test_staking_and_authorising_change_the_chain(online: Terminal) -> None:
    """SPEC 0.68"""
    before = online.json("stake", "show", OPERATOR)
    online.json("stake", "add", OPERATOR, "12.5")
    functions = contract(online, "NodeStaking").functions
    checksummed = contract(online, "NodeStaking").w3.to_checksum_address
    added = functions.stakeOf(checksummed(OPERATOR), checksummed(OPERATOR)).call()
    assert added == round(float(before["staked"].split()[0]) * 10) * OPEN // 10 + 125 * OPEN // 10
    made = online.json("stake", "authorise")
    assert functions.isSigner(checksummed(OPERATOR), checksummed(made["signer"])).call()


def test_a_channel_and_its_key(online: Terminal) -> None:
    """SPEC 0.68"""
    online.json("stake", "add", OPERATOR, "1")
    opened = online.json("channel", "open", OPERATOR, "3")
    shown = online.json("channel", "show", opened["channel"])
    assert (shown["payer"], shown["payee"], shown["deposited"]) == (PAYER, OPERATOR, 3 * OPEN)
    made = online.json("apikey", "create", opened["channel"], "--cap", "2", "--payer-key", "payer")
    functions = contract(online, "PaymentChannels").functions
    channel = bytes.fromhex(opened["channel"][2:])
    signer = contract(online, "PaymentChannels").w3.to_checksum_address(made["signer"])
    assert functions.signerCap(channel, signer).call()[0] == 2 * OPEN
    (listed,) = online.json("apikey", "list", opened["channel"])
    assert made["api_key"].startswith(listed["prefix"])
    assert made["api_key"] not in str(listed)
    online.json("apikey", "revoke", listed["prefix"], opened["channel"])
    (revoked,) = online.json("apikey", "list", opened["channel"])
    assert revoked["revoked_at"] is not None
    assert online.run("channel", "show", "0x" + "77" * 32).exit_code == 3


def test_a_revert_is_told_by_its_name_and_code(online: Terminal) -> None:
    """SPEC 0.64"""
    refused = online.run("stake", "add", OPERATOR, "99999999")
    assert refused.exit_code == 8
    assert "ERC20InsufficientBalance" in refused.stderr


def test_a_proposal_from_the_command_line(online: Terminal) -> None:
    """SPEC 0.68"""
    token = contract(online, "OpenToken")
    token.functions.delegate(token.w3.to_checksum_address(OPERATOR)).transact(
        {"from": token.w3.eth.accounts[1]}
    )
    token.w3.provider.make_request("evm_mine", [])
    split = ["50000", "50000", "150000", "100000", "100000", "550000"]
    made = online.json(
        "governance", "propose", "More for contributors", "--split", *split, "--why", "It is theirs."
    )
    (listed,) = online.json("governance", "list")
    assert (listed["id"], listed["title"]) == (made["id"], "More for contributors")
    refused = online.run("governance", "propose", "Too much", "--split", *(["1000000"] * 6))
    assert refused.exit_code == 2


def test_the_parameters_in_force_from_the_command_line(online: Terminal) -> None:
    """SPEC 0.68, 9.71"""
    listed = {one["name"]: one for one in online.json("governance", "parameters")}
    assert list(listed) == [one.name for one in TUNABLES]
    assert (listed["maxBatch"]["kind"], listed["maxBatch"]["value"]) == ("count", "16")


def test_an_override_without_a_stake_is_refused_by_name(online: Terminal) -> None:
    """SPEC 0.68, 9.63"""
    refused = online.run("governance", "override", "1", OPERATOR, "for")
    assert refused.exit_code == 8
    assert "GovernorNonexistentProposal" in refused.stderr


@pytest.mark.parametrize("noun", ["datanet", "model"])
def test_an_empty_registry_lists_nothing_and_shows_nothing(online: Terminal, noun: str) -> None:
    """SPEC 0.68"""
    assert online.json(noun, "list") == []
    assert online.run(noun, "show", "1").exit_code == 3


def test_a_models_status_is_told_in_words(online: Terminal) -> None:
    """SPEC 0.68"""
    registry = contract(online, "ModelRegistry")
    owner = {"from": registry.w3.eth.accounts[1]}
    registry.functions.registerBase(b"\x0f" * 32, b"\x0e" * 32, BUNDLE.binary).transact(owner)
    base = registry.functions.baseIdOf(b"\x0f" * 32).call()
    terms = ("coder", base, 0, BUNDLE.binary, b"\x01" * 32, b"\x02" * 32, 1, 2, 3, [], [], 8)
    registry.functions.registerModel(terms, True).transact(owner)
    (listed,) = online.json("model", "list")
    assert (listed["name"], listed["owner"], listed["status"]) == ("coder", OPERATOR, "live")
    registry.functions.setStatus(listed["id"], ModelStatus.DRAFT).transact(owner)
    assert online.json("model", "show", str(listed["id"]))["status"] == "draft"


def test_the_chain_shows_its_contracts(online: Terminal) -> None:
    """SPEC 0.68"""
    shown = online.json("chain", "show")
    assert shown["chain_id"] == 31337
    assert shown["OpenToken"] == contract(online, "OpenToken").address.lower()


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def wait_for(url: str, process: subprocess.Popen[bytes]) -> bytes:
    """The first answer of a starting server, or a failure as soon as it ends."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert process.poll() is None, f"ended with {process.returncode}"
        try:
            with urllib.request.urlopen(url, timeout=2) as response:
                return bytes(response.read())
        except OSError:
            time.sleep(0.1)
    raise AssertionError(f"{url} does not answer")


def test_a_node_starts_from_its_configuration_and_stops_when_told(online: Terminal) -> None:
    """SPEC 0.69"""
    online.json("stake", "add", OPERATOR, "1")
    port = free_port()
    environment = {
        **os.environ,
        **online.environment,
        "OPENLEDGER_API_PORT": str(port),
        "OPENLEDGER_WORKER_SPAWN": "false",
    }
    process = subprocess.Popen([sys.executable, "-m", "node", "node", "run"], cwd=ROOT, env=environment)
    try:
        assert b"ok" in wait_for(f"http://127.0.0.1:{port}/livez", process)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/") as response:
            assert b"From a datapoint to a payment" in response.read()
        second = subprocess.run(
            [sys.executable, "-m", "node", "node", "run"],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            timeout=60,
        )
        assert second.returncode != 0
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
