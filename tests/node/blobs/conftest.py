"""A blob store on a real database file, and a Kubo daemon on loopback where its binary is there."""

import json
import os
import secrets
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from node.blobs.store import BlobStore
from node.store.blocks import BlockTable
from node.store.database import Database, open_database

KUBO = Path(__file__).resolve().parents[3] / ".tools" / "kubo" / "ipfs"
OFFLINE_SETTINGS: dict[str, object] = {
    "Bootstrap": [],
    "Discovery.MDNS.Enabled": False,
    "Swarm.DisableNatPortMap": True,
    "Swarm.RelayClient.Enabled": False,
    "Swarm.RelayService.Enabled": False,
    "AutoNAT.ServiceMode": "disabled",
}


@pytest.fixture
def other_blobs(tmp_path: Path) -> Iterator[BlobStore]:
    opened = open_database(tmp_path / "other.sqlite")
    yield BlobStore(BlockTable(opened))
    opened.close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answers(api: int) -> bool:
    request = urllib.request.Request(f"http://127.0.0.1:{api}/api/v0/version", method="POST")
    try:
        with urllib.request.urlopen(request, timeout=1):
            return True
    except (urllib.error.URLError, ConnectionError):
        return False


def configure(environment: dict[str, str], api: int) -> None:
    """A private network of one: no bootstrap, no discovery, loopback only."""

    def kubo(*arguments: str) -> None:
        subprocess.run([str(KUBO), *arguments], env=environment, check=True, capture_output=True)

    kubo("init", "--profile=test")
    settings = OFFLINE_SETTINGS | {
        "Addresses.API": f"/ip4/127.0.0.1/tcp/{api}",
        "Addresses.Gateway": [],
        "Addresses.Swarm": [f"/ip4/127.0.0.1/tcp/{free_port()}"],
    }
    for name, value in settings.items():
        kubo("config", "--json", name, json.dumps(value))


@pytest.fixture(scope="session")
def kubo_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if not KUBO.exists():
        pytest.skip("no Kubo binary: run scripts/fetch_kubo.py to check against a real IPFS daemon")
    home = tmp_path_factory.mktemp("kubo")
    (home / "swarm.key").write_text(f"/key/swarm/psk/1.0.0/\n/base16/\n{secrets.token_hex(32)}\n")
    environment = os.environ | {"IPFS_PATH": str(home), "HOME": str(home), "LIBP2P_FORCE_PNET": "1"}
    api = free_port()
    configure(environment, api)
    with (home / "daemon.log").open("wb") as log:
        daemon = subprocess.Popen([str(KUBO), "daemon"], env=environment, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + 60
        while not answers(api):
            if daemon.poll() is not None or time.monotonic() > deadline:
                pytest.fail((home / "daemon.log").read_text())
        yield f"/ip4/127.0.0.1/tcp/{api}"
    finally:
        daemon.terminate()
        daemon.wait(timeout=30)


@pytest.fixture
def corrupt(database: Database) -> Callable[[bytes], None]:
    """Flip a bit of one stored block, behind the store's back."""

    def flip(digest: bytes) -> None:
        row = database.execute("SELECT data FROM blocks WHERE digest = ?", (digest,)).fetchone()
        rotten = bytes([row["data"][0] ^ 1]) + bytes(row["data"])[1:]
        database.execute("UPDATE blocks SET data = ? WHERE digest = ?", (rotten, digest))

    return flip
