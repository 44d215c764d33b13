"""A block store hands out the bytes that hash to their address, or an error; never other bytes."""

import hashlib
import random

import pytest

from node.store.blocks import BlockTable, CorruptBlock, MissingBlock
from node.store.database import Database


@pytest.fixture
def blocks(database: Database) -> BlockTable:
    return BlockTable(database)


def addressed(*contents: bytes) -> list[tuple[bytes, bytes]]:
    return [(hashlib.sha256(data).digest(), data) for data in contents]


def test_blocks_come_back_and_absent_ones_are_named(blocks: BlockTable) -> None:
    """SPEC 1.3"""
    pairs = addressed(b"", b"one", b"two" * 1000)
    blocks.put_many(pairs)
    assert [blocks.get(digest) for digest, _ in pairs] == [data for _, data in pairs]
    assert sorted(blocks.digests()) == sorted(digest for digest, _ in pairs)
    absent = hashlib.sha256(b"three").digest()
    assert not blocks.has(absent)
    with pytest.raises(MissingBlock, match=absent.hex()):
        blocks.get(absent)


def test_every_rotten_bit_is_detected_on_read(database: Database, blocks: BlockTable) -> None:
    """SPEC 1.3"""
    data = random.Random(5).randbytes(64)
    digest = hashlib.sha256(data).digest()
    for bit in range(0, len(data) * 8, 7):
        rotten = bytearray(data)
        rotten[bit // 8] ^= 1 << bit % 8
        database.execute("INSERT OR REPLACE INTO blocks VALUES (?, ?)", (digest, bytes(rotten)))
        with pytest.raises(CorruptBlock):
            blocks.get(digest)


def test_putting_the_true_bytes_again_heals_a_rotten_block(database: Database, blocks: BlockTable) -> None:
    """SPEC 1.3"""
    [(digest, data)] = pairs = addressed(b"sound")
    blocks.put_many(pairs)
    database.execute("UPDATE blocks SET data = ?", (b"rotten",))
    blocks.put_many(pairs)
    assert blocks.get(digest) == data


def test_one_false_address_stores_nothing_of_the_batch(blocks: BlockTable) -> None:
    """SPEC 1.3"""
    good = addressed(b"good")
    with pytest.raises(CorruptBlock):
        blocks.put_many([*good, (bytes(32), b"claims to hash to zero")], [("cid", "name")])
    assert blocks.digests() == () and blocks.pins() == {}


def test_pins_last_until_released(blocks: BlockTable) -> None:
    """SPEC 1.9"""
    blocks.put_many(addressed(b"x"), [("bafkx", "first")])
    blocks.pin("bafkx", "renamed")
    assert blocks.pins() == {"bafkx": "renamed"}
    assert blocks.unpin("bafkx") and not blocks.unpin("bafkx")
    assert blocks.pins() == {}
