"""The demo's chain: started, deployed on through Brownie, and its clock moved on where a window must pass."""

import json
import os
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from node.chain.deployment import load_deployment
from node.chain.rpc import Chain, connect
from scripts.demo_stages.people import People, give_ether

ROOT = Path(__file__).resolve().parents[2]
ANVIL = ROOT / "node_modules" / "@foundry-rs" / "anvil-linux-amd64" / "bin" / "anvil"
CHAIN_ID = 31337
START_SECONDS = 60.0
STOP_SECONDS = 20.0
BROWNIE_SECONDS = 600.0


@dataclass
class Devnet:
    """A chain that answers at `url`; `process` is set when the demo started it."""

    url: str
    process: subprocess.Popen[bytes] | None

    def stop(self) -> None:
        """Ends the chain if the demo started it; it keeps its state."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(STOP_SECONDS)


def free_port() -> int:
    """A loopback port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start_chain(state: Path, rpc: str) -> Devnet:
    """`rpc` is "embedded", "anvil", or the URL of a development chain that is already running."""
    if rpc.startswith(("http://", "https://")):
        return Devnet(rpc, None)
    port = free_port()
    commands = {
        "embedded": [sys.executable, "-m", "node.chain.embedded", "--db", str(state / "chain.sqlite")],
        "anvil": [str(ANVIL), "--silent", "--state", str(state / "anvil.json"), "--state-interval", "1"],
    }
    if rpc not in commands:
        raise SystemExit(f"--rpc takes embedded, anvil or a URL, not {rpc!r}")
    log = (state / "chain.log").open("ab")
    command = [*commands[rpc], "--port", str(port), "--chain-id", str(CHAIN_ID)]
    # A group of its own: Ctrl-C reaches the demo alone, which then stops the chain last.
    process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log, start_new_session=True)
    url = f"http://127.0.0.1:{port}"
    connect(url, wait_seconds=START_SECONDS)
    return Devnet(url, process)


def deploy(devnet: Devnet, state: Path, people: People) -> Chain:
    """The suite on the chain, by Brownie, once; a deployment that is already there is used again."""
    record = state / "deployment.json"
    if not record.exists():
        chain = connect(devnet.url)
        give_ether(chain.web3, people)
        settings = state / "settings.json"
        allocations = {account: str(amount) for account, amount in people.allocations().items()}
        settings.write_text(json.dumps({"allocations": allocations}))
        _brownie(devnet.url, settings, record)
    return connect(devnet.url, load_deployment(record))


def _brownie(url: str, settings: Path, record: Path) -> None:
    partial = record.with_suffix(".partial")
    command = [sys.executable, "scripts/brownie_run.py", "deploy", "--rpc", url]
    command += ["--settings", str(settings), "--out", str(partial)]
    done = subprocess.run(
        command,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=BROWNIE_SECONDS,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    if done.returncode != 0:
        raise RuntimeError(f"brownie could not deploy:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
    partial.replace(record)


def advance(chain: Chain, seconds: int) -> int:
    """Moves the development chain's clock on by `seconds` and mines a block; returns the new time."""
    chain.web3.provider.make_request("evm_increaseTime", [seconds])  # type: ignore[arg-type]
    chain.web3.provider.make_request("evm_mine", [])  # type: ignore[arg-type]
    return chain.head().timestamp


def advance_to(chain: Chain, timestamp: int) -> int:
    """Moves the clock to `timestamp` unless it is there already."""
    now = chain.head().timestamp
    return advance(chain, timestamp - now) if now < timestamp else now
