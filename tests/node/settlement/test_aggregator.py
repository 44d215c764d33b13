"""Turns: a draw that everyone can repeat, in which nobody shares a place; and tables that make their root."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.blobs.store import BlobStore
from node.chain.keccak import keccak
from node.errors import IntegrityError, NotFound
from node.settlement.aggregator import Clock, commitment_data, turn
from node.store.blocks import BlockTable
from node.store.database import open_database
from node.store.epochs import StoredCommitment
from protocol.cid import cid_of_raw
from protocol.epoch import build_commitment, epoch_of
from protocol.epoch_json import encode_commitment
from protocol.types import Address

NODES = st.lists(
    st.integers(1, 2**160 - 1).map(lambda one: f"0x{one:040x}"), min_size=1, unique=True, max_size=8
)


@given(nodes=NODES, epoch=st.integers(0, 2**32))
def test_every_node_has_a_place_of_its_own_whoever_computes_it(nodes: list[str], epoch: int) -> None:
    """SPEC 7.44"""
    places = [turn(epoch, node, nodes, keccak) for node in nodes]
    assert sorted(places) == list(range(len(nodes)))
    assert places == [turn(epoch, node, list(reversed(nodes)), keccak) for node in nodes]
    assert turn(epoch, "0x" + "00" * 20, nodes, keccak) == len(nodes)


def test_the_first_place_goes_round() -> None:
    """SPEC 7.44: over many epochs every node comes first about equally often."""
    nodes = [f"0x{one:040x}" for one in range(1, 5)]
    firsts = [min(nodes, key=lambda node: turn(epoch, node, nodes, keccak)) for epoch in range(400)]
    assert all(60 <= firsts.count(node) <= 140 for node in nodes)


@given(genesis=st.integers(0, 10**9), length=st.integers(1, 10**6), after=st.integers(0, 10**9))
def test_an_epoch_ends_where_the_next_begins(genesis: int, length: int, after: int) -> None:
    """SPEC 7.43: the same epochs as the protocol's."""
    clock = Clock(genesis, length)
    now = genesis + after
    epoch = clock.epoch(now)
    assert epoch == epoch_of(now, genesis, length)
    assert now < clock.end(epoch)
    assert clock.epoch(clock.end(epoch)) == epoch + 1


def test_a_table_that_does_not_make_the_root_is_refused(tmp_path: Path) -> None:
    """SPEC 7.46"""
    blobs = BlobStore(BlockTable(open_database(tmp_path / "node.sqlite")))
    commitment = build_commitment(3, [], {Address("0x" + "aa" * 20): 7}, keccak)
    cid = blobs.put(encode_commitment(commitment)).text
    right = StoredCommitment(3, commitment.cum_root.digest, 7, cid, block=1)
    assert commitment_data(blobs, right, keccak) == commitment
    with pytest.raises(IntegrityError):
        commitment_data(blobs, StoredCommitment(3, b"\1" * 32, 7, cid, block=1), keccak)
    with pytest.raises(IntegrityError):
        commitment_data(blobs, StoredCommitment(3, b"\1" * 32, 7, blobs.put(b"{}").text, block=1), keccak)
    with pytest.raises(NotFound):
        commitment_data(blobs, StoredCommitment(3, b"\1" * 32, 7, cid_of_raw(b"?").text, block=1), keccak)
