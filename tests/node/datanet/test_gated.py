"""Gated rows: noise without a grant, checked with one, and gone from the datadir once erased."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from node.blobs.sealed import CannotOpen
from node.datanet.gated import RowMismatch, RowVault, decode_grants
from node.datanet.icd10 import row_of, select_codes
from node.errors import NotFound
from protocol.cid import cid_of_raw, parse_cid
from protocol.errors import ProtocolError
from protocol.manifest import encode_row
from tests.node.actors import DatanetNode, World, send_blobs, start_node

ROWS = [row_of(code) for code in select_codes(5, "gated")]


@pytest.fixture
def keeper(world: World, tmp_path: Path) -> Iterator[DatanetNode]:
    node = start_node(world, "contributor", tmp_path / "node.sqlite")
    yield node
    node.database.close()


def files_hold(folder: Path, needle: bytes) -> bool:
    return any(needle in path.read_bytes() for path in folder.iterdir() if path.is_file())


def submit(node: DatanetNode, datanet: int):
    return node.table.rows_of(node.contributions.submit(datanet, ROWS, "CC0-1.0", gated=True))


def read(node: DatanetNode, datanet: int, row):
    return node.vault.read(datanet, row.digest, parse_cid(row.cid), row.gated)


def test_gated_rows_never_touch_the_disk_in_the_clear(
    keeper: DatanetNode, datanet: int, tmp_path: Path
) -> None:
    """SPEC 1.10"""
    rows = submit(keeper, datanet)
    assert [read(keeper, datanet, row)[0] for row in rows] == ROWS
    for row in ROWS:
        assert not files_hold(tmp_path, encode_row(row)[:60])


def test_equal_rows_have_unequal_digests_and_addresses(keeper: DatanetNode, datanet: int) -> None:
    """SPEC 1.10: else guessing a row would confirm it."""
    first, second = submit(keeper, datanet), submit(keeper, datanet)
    assert not {row.digest for row in first} & {row.digest for row in second}
    assert not {row.cid for row in first} & {row.cid for row in second}


def test_only_a_grant_opens_a_row_on_another_node(
    keeper: DatanetNode, curator: DatanetNode, datanet: int
) -> None:
    """SPEC 1.10"""
    rows = submit(keeper, datanet)
    send_blobs(keeper, curator)
    with pytest.raises(CannotOpen):
        read(curator, datanet, rows[0])
    file = keeper.vault.grant(datanet, [row.digest for row in rows[:3]], curator.reader)
    assert curator.vault.accept_grants(file) == 3
    assert [read(curator, datanet, row)[0] for row in rows[:3]] == ROWS[:3]
    with pytest.raises(CannotOpen):
        read(curator, datanet, rows[3])
    with pytest.raises(CannotOpen):
        curator.vault.grant(datanet, [rows[3].digest], curator.reader)


def test_a_grant_for_somebody_else_is_left_alone(
    keeper: DatanetNode, curator: DatanetNode, copier: DatanetNode, datanet: int
) -> None:
    """SPEC 1.10"""
    rows = submit(keeper, datanet)
    send_blobs(keeper, copier)
    assert copier.vault.accept_grants(keeper.vault.grant(datanet, [rows[0].digest], curator.reader)) == 0
    with pytest.raises(CannotOpen):
        read(copier, datanet, rows[0])


def test_a_false_grant_is_refused_when_it_arrives(
    keeper: DatanetNode, curator: DatanetNode, datanet: int
) -> None:
    """SPEC 1.11"""
    rows = submit(keeper, datanet)
    file = keeper.vault.grant(datanet, [rows[0].digest], curator.reader)
    digest = rows[0].digest.hex().encode()
    with pytest.raises(CannotOpen):
        curator.vault.accept_grants(file.replace(digest, rows[1].digest.hex().encode()))
    for noise in (b"", b"{}", b'{"v":1,"grants":[{}]}', file + b" x"):
        with pytest.raises(ProtocolError):
            decode_grants(noise)


def test_bytes_of_another_row_are_a_mismatch(contributor: DatanetNode, datanet: int) -> None:
    """SPEC 1.11"""
    open_rows = contributor.table.rows_of(contributor.contributions.submit(datanet, ROWS, "CC0-1.0"))
    with pytest.raises(RowMismatch):
        contributor.vault.read(datanet, open_rows[0].digest, parse_cid(open_rows[1].cid), False)
    junk = contributor.blobs.put(b"no row at all")
    with pytest.raises(RowMismatch):
        contributor.vault.read(datanet, open_rows[0].digest, junk, False)
    with pytest.raises(NotFound):
        contributor.vault.read(datanet, open_rows[0].digest, cid_of_raw(b"absent"), False)


def test_an_erased_row_is_gone_from_every_file(keeper: DatanetNode, datanet: int, tmp_path: Path) -> None:
    """SPEC 1.12"""
    rows = submit(keeper, datanet)
    victim, cid = rows[0], parse_cid(rows[0].cid)
    stored = keeper.table.grant(datanet, victim.digest, keeper.reader)
    sealed = keeper.blobs.get(cid)
    assert stored is not None
    assert keeper.vault.erase(datanet, victim.digest, cid) == 1
    assert not keeper.blobs.has(cid)
    assert not files_hold(tmp_path, stored.wrapped) and not files_hold(tmp_path, stored.ephemeral)
    keeper.database.checkpoint()
    assert not files_hold(tmp_path, sealed[:64])
    with pytest.raises((CannotOpen, NotFound)):
        read(keeper, datanet, victim)
    assert [read(keeper, datanet, row)[0] for row in rows[1:]] == ROWS[1:]


def test_bytes_that_come_back_after_erasure_stay_noise(keeper: DatanetNode, datanet: int) -> None:
    """SPEC 1.12"""
    victim = submit(keeper, datanet)[0]
    sealed = keeper.blobs.get(parse_cid(victim.cid))
    keeper.vault.erase(datanet, victim.digest, parse_cid(victim.cid))
    keeper.blobs.put(sealed)
    with pytest.raises(CannotOpen):
        read(keeper, datanet, victim)


def test_a_node_without_a_key_reads_open_rows_only(keeper: DatanetNode, datanet: int) -> None:
    """SPEC 1.10"""
    vault = RowVault(keeper.table, keeper.blobs)
    gated = submit(keeper, datanet)[0]
    open_row = keeper.table.rows_of(keeper.contributions.submit(datanet, ROWS, "CC0-1.0"))[0]
    assert vault.read(datanet, open_row.digest, parse_cid(open_row.cid), False)[0] == ROWS[0]
    with pytest.raises(CannotOpen):
        vault.read(datanet, gated.digest, parse_cid(gated.cid), True)
