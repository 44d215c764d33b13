"""Settlement on disk: repeated events change nothing, and what a block said goes with the block."""

from pathlib import Path

import pytest

from node.chain.events import ChainEvent
from node.settlement.mirror import SettlementMirror
from node.store.database import open_database
from node.store.epochs import EpochStore, StoredLine
from protocol.cid import cid_of_raw

NODE, OTHER = "0x" + "aa" * 20, "0x" + "bb" * 20
CID = cid_of_raw(b"data")


def event(contract: str, name: str, block: int, position: int, **values: object) -> ChainEvent:
    return ChainEvent(contract, name, values, block, b"\0" * 32, position, b"\1" * 32)


EVENTS = (
    event("PaymentChannels", "VoucherClaimed", 10, 0, id=b"\1" * 32, payee=NODE, delta=2**127, epoch=3),
    event("PaymentChannels", "VoucherClaimed", 10, 1, id=b"\2" * 32, payee=OTHER, delta=5, epoch=3),
    event("EpochSettlement", "FundsRolledOver", 11, 0, fromEpoch=3, toEpoch=4, node=NODE, amount=5),
    event(
        "EpochSettlement",
        "StatementPublished",
        12,
        0,
        epoch=4,
        node=OTHER,
        root=b"\3" * 32,
        total=9,
        cid=CID.binary,
    ),
    event(
        "EpochSettlement",
        "StatementPublished",
        12,
        1,
        epoch=4,
        node=NODE,
        root=b"\3" * 32,
        total=9,
        cid=b"junk",
    ),
    event(
        "EpochSettlement", "EpochCommitted", 13, 0, epoch=4, cumRoot=b"\4" * 32, total=18, dataCid=CID.binary
    ),
    event("EpochSettlement", "EpochFinalized", 14, 0, epoch=4, cumRoot=b"\4" * 32, total=18),
    event("NodeStaking", "VoucherClaimed", 15, 0, id=b"\x09" * 32, payee=NODE, delta=1, epoch=9),
)


@pytest.fixture
def store(tmp_path: Path) -> EpochStore:
    return EpochStore(open_database(tmp_path / "node.sqlite"))


def contents(store: EpochStore) -> tuple[object, ...]:
    return store.claims(), store.rollovers(), store.statements(4), store.commitments()


@pytest.mark.parametrize("block", range(9, 16))
def test_rewinding_leaves_what_a_fresh_reading_up_to_there_would(tmp_path: Path, block: int) -> None:
    """SPEC 7.45"""
    full, fresh = (EpochStore(open_database(tmp_path / name)) for name in ("full.sqlite", "fresh.sqlite"))
    for one in EVENTS:
        SettlementMirror(full, NODE).apply(one)
        SettlementMirror(full, NODE).apply(one)
        if one.block <= block:
            SettlementMirror(fresh, NODE).apply(one)
    SettlementMirror(full, NODE).rewind(block)
    assert contents(full) == contents(fresh)


VOIDS = (
    *EVENTS[3:6],
    event(
        "EpochSettlement", "EpochCommitted", 14, 0, epoch=5, cumRoot=b"\5" * 32, total=20, dataCid=CID.binary
    ),
    event("EpochSettlement", "StatementVoided", 15, 0, epoch=4, node=OTHER, judge=NODE),
    event("EpochSettlement", "CommitmentVoided", 15, 1, epoch=4, judge=NODE),
    event(
        "EpochSettlement", "EpochCommitted", 15, 2, epoch=4, cumRoot=b"\6" * 32, total=9, dataCid=CID.binary
    ),
    event("EpochSettlement", "EpochFinalized", 17, 0, epoch=4, cumRoot=b"\6" * 32, total=9),
)


@pytest.mark.parametrize("block", range(12, 18))
def test_voids_are_taken_back_with_their_block(tmp_path: Path, block: int) -> None:
    """SPEC 7.45: and what they voided stands again."""
    full, fresh = (EpochStore(open_database(tmp_path / name)) for name in ("full.sqlite", "fresh.sqlite"))
    for one in VOIDS:
        SettlementMirror(full, NODE).apply(one)
        if one.block <= block:
            SettlementMirror(fresh, NODE).apply(one)
    SettlementMirror(full, NODE).rewind(block)
    assert contents(full) == contents(fresh)
    assert full.voided_epochs(OTHER) == fresh.voided_epochs(OTHER) == ((4,) if block >= 15 else ())


def test_what_is_void_is_left_out_and_still_has_to_be_committed(store: EpochStore) -> None:
    """SPEC 7.45: a void takes the commitment and all upon it; one made afterwards stands."""
    store.put_lines(4, OTHER, [StoredLine(4, OTHER, "0xa", b"\1", 9)])
    store.put_lines(4, NODE, [StoredLine(4, NODE, "0xa", b"\2", 9)])
    for _ in range(2):
        for one in VOIDS:
            SettlementMirror(store, NODE).apply(one)
    assert [one.node for one in store.statements(4)] == [NODE]
    assert [(one.epoch, one.cum_root[:1], one.final_block) for one in store.commitments()] == [(4, b"\6", 17)]
    assert store.stated_epochs() == (4,)
    assert [line.node for line in store.lines(earner="0xa")] == [NODE]


def test_only_this_nodes_claims_are_kept_and_a_senseless_cid_stops_nothing(store: EpochStore) -> None:
    """SPEC 7.45"""
    for one in EVENTS:
        SettlementMirror(store, NODE).apply(one)
    assert [claim.delta for claim in store.claims()] == [2**127]
    assert {statement.node: statement.cid for statement in store.statements(4)} == {OTHER: CID.text, NODE: ""}
    final = store.commitment(4)
    assert final is not None
    assert (final.data_cid, final.final_block) == (CID.text, 14)


def test_a_statements_lines_replace_those_known_of_it(store: EpochStore) -> None:
    """SPEC 7.42"""
    first = [StoredLine(1, NODE, "0xa", b"\1", 10**30), StoredLine(1, NODE, "0xb", b"\1", 2)]
    store.put_lines(1, NODE, first)
    store.put_lines(2, NODE, [StoredLine(2, NODE, "0xa", b"\1", 7)])
    store.put_lines(1, NODE, first[:1])
    assert [line.amount for line in store.lines(earner="0xa")] == [10**30, 7]
    assert store.lines(earner="0xb") == ()
    assert [line.epoch for line in store.lines(request_id=b"\1")] == [1, 2]
