"""Against a real Kubo daemon: one graph has one CID on both sides, and an absent one does not hang."""

import io
import random
import time

import pytest

from node.blobs.car import encode_car
from node.blobs.ipfs import IpfsDaemon
from node.blobs.store import BlobStore
from node.errors import LimitExceeded, NotFound
from protocol.cid import cid_of_raw, parse_cid
from protocol.dagpb import Link, decode_node
from protocol.unixfs import CHUNK_BYTES, Dag, build, build_directory

pytestmark = [pytest.mark.ipfs, pytest.mark.filterwarnings("error::FutureWarning")]

SIZES = [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 174 * 1024 + 3, 5 * CHUNK_BYTES + 1]


@pytest.fixture
def daemon(kubo_address: str) -> IpfsDaemon:
    return IpfsDaemon(kubo_address, timeout=20)


@pytest.mark.parametrize("size", SIZES)
def test_the_daemon_computes_our_cid_and_returns_our_bytes(
    daemon: IpfsDaemon, blobs: BlobStore, size: int
) -> None:
    """SPEC 1.7"""
    data = random.Random(size).randbytes(size)
    root = blobs.put(data)
    daemon.send(blobs, root)
    assert daemon.has(root)
    with daemon._call() as client:
        assert client.cat(root.text) == data
        added = client.add(io.BytesIO(data), cid_version=1, raw_leaves=True, chunker=f"size-{CHUNK_BYTES}")
        assert added["Hash"] == root.text


@pytest.mark.parametrize("size", SIZES)
def test_what_the_daemon_added_arrives_verified(
    daemon: IpfsDaemon, other_blobs: BlobStore, size: int
) -> None:
    """SPEC 1.7"""
    data = random.Random(size + 1).randbytes(size)
    with daemon._call() as client:
        added = client.add(io.BytesIO(data), cid_version=1, raw_leaves=True, chunker=f"size-{CHUNK_BYTES}")
    root = parse_cid(added["Hash"])
    daemon.fetch(other_blobs, root, "from afar")
    assert other_blobs.get(root) == data and other_blobs.pins()[root] == "from afar"
    daemon.fetch(other_blobs, root, "again")
    assert other_blobs.pins()[root] == "again"


def test_directories_have_the_same_cid_on_both_sides(daemon: IpfsDaemon) -> None:
    """SPEC 1.7"""
    files = {"adapter_config.json": b"{}", "README.md": b"# card", "zeta": bytes(CHUNK_BYTES + 1)}
    dags = {name: build(data) for name, data in files.items()}
    ours = build_directory({name: (dag.root, dag.tsize) for name, dag in dags.items()})
    with daemon._call() as client:
        listing = {link.name: link for link in _links(ours.blocks[0].data)}
        assert set(listing) == set(files)
        for name, dag in dags.items():
            client.dag.imprt(io.BytesIO(_car(dag)))
            assert listing[name].tsize == client.object.stat(dag.root.text)["CumulativeSize"]
        client.dag.imprt(io.BytesIO(_car(ours, *dags.values())))
        names = {entry["Name"] for entry in client.ls(ours.root.text)["Objects"][0]["Links"]}
    assert names == set(files)


def _links(block: bytes) -> tuple[Link, ...]:
    return decode_node(block).links


def _car(top: Dag, *below: Dag) -> bytes:
    return encode_car(top.root, [block for dag in (top, *below) for block in dag.blocks])


def test_an_absent_graph_is_reported_and_does_not_hang(kubo_address: str, blobs: BlobStore) -> None:
    """SPEC 1.8"""
    daemon = IpfsDaemon(kubo_address, timeout=1.5)
    absent = cid_of_raw(b"nobody ever added this")
    started = time.monotonic()
    assert not daemon.has(absent)
    assert time.monotonic() - started < 1
    with pytest.raises(NotFound):
        daemon.fetch(blobs, absent)
    assert time.monotonic() - started < 6 and not blobs.has(absent)


def test_a_graph_over_the_limit_is_dropped_while_it_arrives(
    daemon: IpfsDaemon, blobs: BlobStore, other_blobs
) -> None:
    """SPEC 1.4"""
    root = blobs.put(random.Random(9).randbytes(3 * CHUNK_BYTES))
    daemon.send(blobs, root)
    with pytest.raises(LimitExceeded):
        daemon.fetch(other_blobs, root, max_bytes=CHUNK_BYTES)
    assert not other_blobs.has(root)


def test_the_daemon_can_be_asked_who_it_is(daemon: IpfsDaemon) -> None:
    """SPEC 1.7"""
    assert daemon.version().startswith("0.")
