"""Brownie compiles the sources to the committed artifacts, and deploys them to a chain outside."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from web3 import HTTPProvider, Web3

from scripts.deployment_plan import ORDER
from scripts.export_artifacts import ARTIFACTS, ROOT, contract_names

ANVIL = ROOT / "node_modules" / "@foundry-rs" / "anvil-linux-amd64" / "bin" / "anvil"

needs_solc = pytest.mark.skipif(
    not (ROOT / "node_modules" / "solc").is_dir(), reason="needs the npm packages: make setup"
)
needs_anvil = pytest.mark.skipif(not ANVIL.exists(), reason="needs anvil from npm: make setup")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def anvil() -> Iterator[str]:
    """A fresh anvil; yields its URL once it answers."""
    port = free_port()
    command = [str(ANVIL), "--port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        try:
            while "Listening on" not in (line := process.stdout.readline()):
                assert line, "anvil ended before it listened"
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


@needs_solc
def test_the_committed_artifacts_are_what_the_sources_compile_to() -> None:
    """SPEC 9.31: ABI and bytecode of every committed artifact are what Brownie makes of the sources."""
    check = [sys.executable, str(ROOT / "scripts" / "export_artifacts.py"), "--check"]
    done = subprocess.run(check, cwd=ROOT, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]


def test_there_is_an_artifact_for_every_contract() -> None:
    """SPEC 9.31: no contract without its artifact, no artifact without its contract."""
    assert sorted(path.stem for path in ARTIFACTS.glob("*.json")) == contract_names()
    apart = {
        path.stem for folder in ("mocks", "examples") for path in (ROOT / "contracts" / folder).glob("*.sol")
    }
    assert set(ORDER) == set(contract_names()) - apart


@needs_solc
@needs_anvil
@pytest.mark.anvil
def test_brownie_deploys_the_suite(tmp_path: Path) -> None:
    """SPEC 9.32: one command deploys the suite through Brownie to any JSON-RPC endpoint and records where."""
    account = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
    settings, out = tmp_path / "settings.json", tmp_path / "deployment.json"
    settings.write_text(json.dumps({"epoch_length": 30, "allocations": {account: str(5 * 10**18)}}))
    with anvil() as url:
        command = [sys.executable, str(ROOT / "scripts" / "brownie_run.py"), "deploy", "--rpc", url]
        command += ["--out", str(out), "--settings", str(settings)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600, env=os.environ)
        assert out.exists(), done.stdout[-2000:] + done.stderr[-2000:]
        record = json.loads(out.read_text())
        web3 = Web3(HTTPProvider(url))
        assert record["chainId"] == web3.eth.chain_id
        for name in ORDER:
            artifact = json.loads((ARTIFACTS / f"{name}.json").read_text())
            code = web3.eth.get_code(web3.to_checksum_address(record["contracts"][name]))
            assert len(code) == (len(artifact["deployedBytecode"]) - 2) // 2, name
        token = web3.eth.contract(
            address=web3.to_checksum_address(record["contracts"]["OpenToken"]),
            abi=json.loads((ARTIFACTS / "OpenToken.json").read_text())["abi"],
        )
        assert token.functions.balanceOf(account).call() == 5 * 10**18
        settlement = web3.eth.contract(
            address=web3.to_checksum_address(record["contracts"]["EpochSettlement"]),
            abi=json.loads((ARTIFACTS / "EpochSettlement.json").read_text())["abi"],
        )
        assert settlement.functions.epochLength().call() == 30
        assert settlement.functions.genesis().call() == record["genesis"]
