"""Two nodes settle one epoch together: each states its own answers, one commits both, and both pay from one
root.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from node import daemon as daemon_module
from node.blobs.store import BlobStore
from node.chain.keccak import keccak
from node.daemon import Daemon
from node.errors import NotFound
from node.settlement.aggregator import commitment_data, turn
from node.settlement.records import SharedRecords
from node.store.blocks import BlockTable
from node.store.database import open_database
from node.store.epochs import EpochStore
from protocol.cid import Cid
from protocol.rewards import stakers_account
from tests.integration import worker_server
from tests.integration.ledger_world import DEPOSIT, SETTINGS, FileCatalog, LedgerWorld, Prepared
from tests.integration.running_node import Node

NODES = ("operator", "stranger")


class Peer:
    """What an IPFS daemon does for two nodes, by the same CAR files, in memory."""

    shared = BlobStore(BlockTable(open_database(":memory:")))

    def __init__(self, address: str) -> None:
        self.address = address

    def has(self, cid: Cid) -> bool:
        return self.shared.has(cid)

    def send(self, blobs: BlobStore, root: Cid) -> None:
        self.shared.import_car(blobs.export_car(root), root=root)

    def fetch(self, blobs: BlobStore, root: Cid, name: str = "", max_bytes: int = 0) -> None:
        blobs.import_car(self.shared.export_car(root), name, root)


@pytest.fixture
async def both(
    world: LedgerWorld, prepared: Prepared, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[Node, Node]]:
    """Two nodes with a worker and a peer in common; the second has a channel of its own."""
    monkeypatch.setattr(daemon_module, "IpfsDaemon", Peer)
    runner = await worker_server.listen(tmp_path / "worker.sock", "a token")
    other = world.other_node("stranger")
    nodes, daemons = [], []
    for actor in NODES:
        home = world.copy(prepared, tmp_path / actor)
        settings = replace(
            world.settings(home.folder, tmp_path / "worker.sock", settlement_poll=3_600.0, ipfs_api="/peer"),
            operator_key=world.key(actor),
            receipt_key=keccak(actor.encode()),
        )
        daemon = Daemon(settings, lambda *_, path=home.folder / "catalog.json": FileCatalog(path))
        core = await daemon.start()
        daemons.append(daemon)
        if actor == "stranger":
            api_key, session = core.sessions.create(other.channel_id, 1)
            world.authorise(other.channel_id, session.signer, DEPOSIT)
            home = replace(home, api_key=api_key, channel_id=other.channel_id)
        nodes.append(Node(core, world, home))
    yield nodes[0], nodes[1]
    for daemon in daemons:
        await daemon.stop()
    await runner.cleanup()


async def test_two_nodes_state_one_commits_and_everyone_is_paid_once(both: tuple[Node, Node]) -> None:
    """SPEC 7.40, 7.42, 7.44"""
    prices = []
    for place, node in enumerate(both):
        _, finished, _ = await node.ask(node.request(f"from node {place}"))
        prices.append(finished.price)
    for _ in range(8):
        left = [await node.turn() for node in both]
        if not any(left):
            break
        both[0].world.advance(SETTINGS.epoch_length)
    stores = [EpochStore(node.core.database) for node in both]
    assert stores[0].commitments() == stores[1].commitments()
    (commitment,) = stores[0].commitments()
    assert [one.node for one in stores[0].statements(commitment.epoch)] == sorted(
        node.core.node for node in both
    )
    assert commitment.total == sum(prices)
    table = commitment_data(both[0].core.claims._records, commitment, keccak)
    assert commitment_data(both[1].core.claims._records, commitment, keccak) == table
    stakers = {stakers_account(node.core.node, keccak): node.core.node for node in both}
    paid = 0
    for account, amount in table.cumulative:
        # Whichever node relays a claim, it pays the account once.
        for node in both:
            claims = node.core.claims
            claim = claims.claim_for_stakers if account in stakers else claims.claim
            moved = await asyncio.to_thread(claim, stakers.get(account, account))
            assert moved in (0, amount)
            paid += moved
    assert paid == sum(prices)
    places = {
        node.core.node: turn(commitment.epoch, node.core.node, [one.core.node for one in both], keccak)
        for node in both
    }
    assert sorted(places.values()) == [0, 1]


async def test_a_record_that_nobody_has_is_not_found_and_one_that_a_peer_has_is_fetched_once(
    tmp_path: Path,
) -> None:
    """SPEC 7.46"""
    mine, theirs = (BlobStore(BlockTable(open_database(tmp_path / name))) for name in ("a", "b"))
    cid = SharedRecords(theirs, Peer("/peer")).put(b"a record" * 1_000)  # type: ignore[arg-type]
    assert not mine.has(cid)
    assert SharedRecords(mine, Peer("/peer")).get(cid) == b"a record" * 1_000  # type: ignore[arg-type]
    assert mine.has(cid)
    unknown = BlobStore(BlockTable(open_database(tmp_path / "c"))).put(b"nobody's")
    with pytest.raises(NotFound):
        SharedRecords(mine, Peer("/peer")).get(unknown)  # type: ignore[arg-type]
