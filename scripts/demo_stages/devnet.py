"""The demo's chain: started, deployed on through Brownie, and its clock moved on where a window must pass."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
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
RUNNING = "chain.json"


@dataclass
class Devnet:
    """A chain that answers at `url`; `pid` is set when the demo started it."""

    url: str
    pid: int | None

    def stop(self) -> None:
        """Ends the chain if the demo started it; it keeps its state."""
        if self.pid is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        while _is_running(self.pid) and time.monotonic() < deadline:
            time.sleep(0.05)


def _is_running(pid: int) -> bool:
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
    return Path(f"/proc/{pid}").exists()


def free_port() -> int:
    """A loopback port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start_chain(state: Path, rpc: str) -> Devnet:
    """`rpc` is "embedded", "anvil", or the URL of a development chain that is already running."""
    if rpc.startswith(("http://", "https://")):
        return Devnet(rpc, None)
    left = _left_running(state)
    if left is not None:
        return left
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
    (state / RUNNING).write_text(json.dumps({"pid": process.pid, "url": url}))
    chain = connect(url, wait_seconds=START_SECONDS)
    if rpc == "anvil":
        # anvil keeps its blocks but not how far its clock was moved on.
        advance(chain, max(0, chain.head().timestamp - int(time.time())))
    return Devnet(url, process.pid)


def _left_running(state: Path) -> Devnet | None:
    """The chain of a demo that was killed: it still holds this state, so that a second one must not."""
    record = state / RUNNING
    if not record.exists():
        return None
    left = json.loads(record.read_text())
    command = Path(f"/proc/{left['pid']}/cmdline")
    if not command.exists() or str(state) not in command.read_bytes().decode(errors="replace"):
        return None
    connect(left["url"], wait_seconds=START_SECONDS)
    return Devnet(left["url"], left["pid"])


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
