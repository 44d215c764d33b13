"""The node of the demo: its configuration file, its keys, and its life around the stages."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from node.api.server import PublicListener
from node.blobs.encryption_key import create_encryption_key, load_encryption_key
from node.cli.assembly import ENCRYPTION_KEY, node_of
from node.config import Config, load_config
from node.daemon import Core, Daemon
from node.datanet.gated import RowVault
from node.errors import Unavailable
from node.log import configure
from node.store.datanet import DatanetTable
from scripts.demo_stages.console import Console
from scripts.demo_stages.devnet import ROOT
from scripts.demo_stages.people import People

BASE = ROOT / ".cache" / "base" / "smollm2-135m-instruct-fp32"
WORKER_SECONDS = 120.0


@dataclass(frozen=True)
class RunningNode:
    """What the stages use of it; `reader` is the public half of its encryption key."""

    daemon: Daemon
    core: Core
    vault: RowVault
    reader: bytes
    url: str


def configuration(state: Path, chain_url: str, port: int) -> Config:
    """Writes `node.toml`, with which `openledger --config` reaches the same node, and reads it."""
    sections = {
        "node": {
            "data_dir": state / "node",
            "operator_key": "olga",
            "receipt_key": "receipts",
            "password_file": state / "password",
        },
        "chain": {"rpc_url": chain_url, "deployment": state / "deployment.json", "poll_seconds": 0.5},
        "api": {"port": port},
        "worker": {"base_dir": BASE},
        "settlement": {"poll_seconds": 0.5},
        "site": {"publish_answers": True, "name": "OpenLedger demo"},
        "log": {"level": "warning"},
    }
    path = state / "node.toml"
    path.write_text("".join(_section(name, values) for name, values in sections.items()))
    return load_config(path, {})


def _section(name: str, values: dict[str, object]) -> str:
    lines = (f"{key} = {_toml(value)}\n" for key, value in values.items())
    return f"[{name}]\n{''.join(lines)}\n"


def _toml(value: object) -> str:
    # TOML's strings, integers, decimals and booleans are spelt as in JSON.
    return json.dumps(str(value) if isinstance(value, Path) else value)


@contextlib.asynccontextmanager
async def running_node(config: Config, people: People, console: Console) -> AsyncIterator[RunningNode]:
    """Starts the daemon with its worker; stops both at the end."""
    configure(config.log.level, config.log.json)
    key_file = config.path(ENCRYPTION_KEY)
    if not key_file.exists():
        create_encryption_key(key_file, people.password)
    private = load_encryption_key(key_file, people.password)
    daemon = node_of(config)
    with console.step("node"):
        core = await daemon.start()
    try:
        with console.step("worker loads the base model"):
            await worker_ready(core)
        listener = next(one for one in daemon.services if isinstance(one, PublicListener))
        vault = RowVault(DatanetTable(core.database), core.blobs, private)
        reader = private.public_key().public_bytes_raw()
        yield RunningNode(daemon, core, vault, reader, f"http://127.0.0.1:{listener.port}")
    finally:
        await daemon.stop()


async def worker_ready(core: Core) -> None:
    """Waits for the worker's first answer."""
    deadline = time.monotonic() + WORKER_SECONDS
    while True:
        try:
            await core.worker.health()
            return
        except Unavailable:
            if time.monotonic() > deadline:
                raise
        await asyncio.sleep(0.2)
