"""Contributions on a real chain: what is mirrored is what was submitted, by whom the chain says."""

from dataclasses import replace

import pytest

from node.chain.keccak import keccak
from node.datanet.batch import batch_root, decode_batch, encode_batch
from node.datanet.icd10 import row_of, select_codes
from node.datanet.rows import InvalidRow
from node.errors import ChainReverted, Conflict, IntegrityError, NotFound
from protocol.cid import parse_cid
from protocol.errors import ProtocolError
from protocol.manifest import encode_row
from tests.node.actors import DatanetNode, send_blobs

ROWS = [row_of(code) for code in select_codes(12, "contributions")]


def test_a_contribution_is_on_chain_and_mirrored_row_by_row(contributor: DatanetNode, datanet: int) -> None:
    """SPEC 1.14"""
    contribution = contributor.contributions.submit(datanet, ROWS, "CC0-1.0")
    on_chain = contributor.contracts.contribution(contribution)
    assert (on_chain.contributor, on_chain.row_count) == (contributor.address, len(ROWS))
    rows = contributor.table.rows_of(contribution)
    assert [contributor.blobs.get(parse_cid(row.cid)) for row in rows] == [encode_row(row) for row in ROWS]
    batch = decode_batch(contributor.blobs.get(on_chain.batch))
    assert batch_root(batch, keccak) == on_chain.batch_root and decode_batch(encode_batch(batch)) == batch


def test_another_node_adopts_it_once_the_bytes_are_there(
    contributor: DatanetNode, curator: DatanetNode, datanet: int
) -> None:
    """SPEC 1.14"""
    contribution = contributor.contributions.submit(datanet, ROWS, "CC0-1.0")
    with pytest.raises(NotFound):
        curator.contributions.adopt(contribution)
    assert contribution not in curator.contributions.adopt_new()
    send_blobs(contributor, curator)
    assert contribution in curator.contributions.adopt_new()
    assert curator.contributions.adopt(contribution) == contributor.table.contribution(contribution)
    assert curator.table.rows_of(contribution) == contributor.table.rows_of(contribution)


def test_a_batch_submitted_by_somebody_else_is_not_theirs(
    contributor: DatanetNode, copier: DatanetNode, curator: DatanetNode, datanet: int
) -> None:
    """SPEC 1.16: the file names its contributor, so it cannot be replayed under another name."""
    batch = contributor.contributions.prepare(datanet, contributor.address, ROWS, "CC0-1.0", False)
    cid = contributor.blobs.put(encode_batch(batch))
    stolen = copier.contracts.submit(datanet, batch_root(batch, keccak), len(batch.rows), cid)
    send_blobs(contributor, curator)
    with pytest.raises(IntegrityError, match="not the one on chain"):
        curator.contributions.adopt(stolen)
    assert stolen not in curator.contributions.adopt_new()


def test_a_false_root_or_count_is_found_out(
    contributor: DatanetNode, curator: DatanetNode, datanet: int
) -> None:
    """SPEC 1.14"""
    batch = contributor.contributions.prepare(datanet, contributor.address, ROWS, "CC0-1.0", False)
    cid = contributor.blobs.put(encode_batch(batch))
    root = batch_root(batch, keccak)
    wrong = [(bytes(31) + b"\x01", len(ROWS), cid), (root, len(ROWS) + 1, cid)]
    for one_root, count, one_cid in wrong:
        contribution = contributor.contracts.submit(datanet, one_root, count, one_cid)
        with pytest.raises(IntegrityError):
            contributor.contributions.adopt(contribution)
    other = contributor.contracts.submit(datanet, root, len(ROWS), contributor.blobs.put(b"not a batch"))
    with pytest.raises(IntegrityError, match="not a batch"):
        contributor.contributions.adopt(other)


def test_bad_rows_reach_neither_disk_nor_chain(contributor: DatanetNode, datanet: int) -> None:
    """SPEC 1.14"""
    before = contributor.contracts.contribution_count()
    with pytest.raises(InvalidRow):
        contributor.contributions.submit(datanet, [*ROWS, replace(ROWS[0], kind="program")], "CC0-1.0")
    with pytest.raises(Conflict, match="twice"):
        contributor.contributions.submit(datanet, [*ROWS, ROWS[0]], "CC0-1.0")
    assert contributor.contracts.contribution_count() == before and contributor.blobs.pins() == {}


def test_an_unknown_datanet_is_the_contracts_to_refuse(contributor: DatanetNode) -> None:
    """SPEC 1.14"""
    with pytest.raises(ChainReverted, match="ContributionLedgerUnknownDatanet"):
        contributor.contributions.submit(10**6, ROWS, "CC0-1.0")


@pytest.mark.parametrize(
    "change",
    [(b'"v":1', b'"v":2'), (b'"gated":false', b'"gated":0'), (b'"cid":"bafk', b'"cid":"../k'), (b"}", b"")],
)
def test_a_malformed_batch_file_is_refused(
    contributor: DatanetNode, datanet: int, change: tuple[bytes, bytes]
) -> None:
    """SPEC 1.14"""
    batch = contributor.contributions.prepare(datanet, contributor.address, ROWS, "CC0-1.0", False)
    with pytest.raises(ProtocolError):
        decode_batch(encode_batch(batch).replace(*change))


def test_the_same_id_cannot_come_to_mean_another_batch(contributor: DatanetNode, datanet: int) -> None:
    """SPEC 1.14"""
    contribution = contributor.contributions.submit(datanet, ROWS, "CC0-1.0")
    known = contributor.table.contribution(contribution)
    with pytest.raises(Conflict):
        contributor.table.put_contribution(replace(known, batch_root=bytes(32)), [])
