"""Receipts on disk: one per request, one per place, one digest for ever."""

from dataclasses import replace

import pytest

from node.errors import NotFound
from node.store.database import Database
from node.store.receipts import ReceiptConflict, ReceiptStore, StoredReceipt

CHANNEL = b"\2" * 32


def receipt(number: int, **changes: object) -> StoredReceipt:
    seq = number
    plain = StoredReceipt(
        bytes([seq]) * 32, "0xa", b"\3" * 32, bytes([seq, 1]) * 16, bytes([seq, 2]) * 16, CHANNEL, seq,
        2**200, 10**30, seq * 10**30, 100 + seq, "{}", "{}", "{}", "{}",
    )  # fmt: skip
    return replace(plain, **changes)  # type: ignore[arg-type]


@pytest.fixture
def store(database: Database) -> ReceiptStore:
    return ReceiptStore(database)


def test_a_request_or_a_place_takes_no_second_receipt(store: ReceiptStore) -> None:
    """SPEC 6.41"""
    store.insert(receipt(1), {"0xa": 5})
    for rival in (receipt(1, seq=9, digest=b"\7" * 32), receipt(2, seq=1), receipt(1)):
        with pytest.raises(ReceiptConflict):
            store.insert(rival, {})
    assert store.get(receipt(1).request_id) == receipt(1)


def test_only_the_recorded_digest_takes_a_signature(store: ReceiptStore) -> None:
    """SPEC 6.41"""
    store.insert(receipt(1), {})
    with pytest.raises(ReceiptConflict):
        store.store_signature(receipt(1).request_id, b"\7" * 32, b"forged")
    assert store.unsigned() == (receipt(1),)
    store.store_signature(receipt(1).request_id, receipt(1).digest, b"signed")
    store.store_signature(receipt(1).request_id, receipt(1).digest, b"signed")
    assert store.get(receipt(1).request_id).signature == b"signed"
    assert store.unsigned() == ()


def test_a_transaction_that_fails_leaves_neither_receipt_nor_accruals(
    database: Database, store: ReceiptStore
) -> None:
    """SPEC 6.41"""

    def record_and_fail() -> None:
        with database.transaction():
            store.insert(receipt(1), {"0xa": 5})
            raise RuntimeError("killed")

    with pytest.raises(RuntimeError):
        record_and_fail()
    with pytest.raises(NotFound):
        store.get(receipt(1).request_id)
    assert store.accrued_totals() == {}
    assert store.last_of_channel(CHANNEL) == (0, 0)


def test_pages_show_every_receipt_once_newest_first(store: ReceiptStore) -> None:
    """SPEC 6.42"""
    for seq in range(1, 8):
        store.insert(receipt(seq, issued_at=100 + seq // 3), {})
    seen, before = [], None
    while page := store.page(2, before):
        seen += page
        before = (page[-1].issued_at, page[-1].request_id)
    assert [one.issued_at for one in seen] == sorted((one.issued_at for one in seen), reverse=True)
    assert sorted(one.seq for one in seen) == list(range(1, 8))
    assert store.leaves(CHANNEL, 1, 3) == tuple((receipt(seq).struct_hash, 10**30) for seq in (2, 3))
    assert store.totals() == (7, 7 * 10**30)
