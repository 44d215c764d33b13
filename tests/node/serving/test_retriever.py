"""Which rows a question finds, and which it never does."""

from pathlib import Path

import pytest

from node.blobs.store import BlobStore
from node.serving.model import ServedModel
from node.serving.retriever import NothingToRetrieve, Retriever
from node.store.blocks import BlockTable
from node.store.database import open_database
from protocol.cid import cid_of_raw, parse_cid
from protocol.context import MAX_CONTEXT_BYTES, ContextRow
from protocol.hashing import to_hex
from protocol.manifest import (
    GRANTED,
    REVOKED,
    Manifest,
    ManifestRow,
    Row,
    content_digest,
    decode_manifest,
    encode_manifest,
    encode_row,
)
from protocol.types import Address

OWNER = Address("0x" + "aa" * 20)
CID = cid_of_raw(b"an index").text
TEXTS = [
    "fracture of the left femur",
    "fracture of the right femur",
    "fracture of the left tibia",
    "burn of the left hand",
    "sprain of the ankle",
]


class Shelf:
    """A version of rows, published in the order of their digests; `index[text]` is a row's index in it."""

    def __init__(self, blobs: BlobStore, texts: list[str], **facts: dict[str, object]) -> None:
        rows = {text: Row("text", "", text, {}) for text in texts}
        order = sorted(texts, key=lambda text: content_digest(rows[text]))
        self.blobs = blobs
        self.index = {text: number for number, text in enumerate(order)}
        listed = []
        for text in order:
            said = facts.get(text, {})
            cluster = self.index[str(said.get("copies", text))]
            cid = blobs.put(encode_row(rows[text])).text if said.get("here", True) else CID
            digest = to_hex(content_digest(rows[text]))
            consent, gated = str(said.get("consent", GRANTED)), bool(said.get("gated", False))
            listed.append(
                ManifestRow(self.index[text], digest, OWNER, cluster, "CC0-1.0", consent, gated, cid)
            )
        self.manifest_cid = blobs.put(encode_manifest(Manifest(1, 1, 0, tuple(listed), ()))).text

    def find(self, question: str, most: int, revoked: frozenset[str] = frozenset()) -> list[str]:
        """The texts that a question finds, best first."""
        by_digest = {to_hex(content_digest(Row("text", "", text, {}))): text for text in self.index}
        retriever = Retriever(
            self.blobs,
            lambda cid: decode_manifest(self.blobs.get(parse_cid(cid))),
            lambda datanet, digest: datanet == 1 and by_digest[to_hex(digest)] in revoked,
        )
        found = retriever.find(model(self.manifest_cid), question, most)
        assert found == retriever.find(model(self.manifest_cid), question, most)
        assert all(one == ContextRow(self.index[one.text], one.text) for one in found)
        return [one.text for one in found]


def model(manifest_cid: str | None) -> ServedModel:
    return ServedModel(
        "m", 1, OWNER, "0x", CID, CID, manifest_cid, None, datanet_version_key=1, in_rate=1, out_rate=1,
        fixed_price=1, royalties=(), min_span_tokens=0,
    )  # fmt: skip


@pytest.fixture
def blobs(tmp_path: Path) -> BlobStore:
    return BlobStore(BlockTable(open_database(tmp_path / "node.sqlite")))


def test_the_nearest_rows_come_first_and_equal_ones_by_index(blobs: BlobStore) -> None:
    """SPEC 5.201"""
    shelf = Shelf(blobs, TEXTS)
    assert shelf.find("A fracture of the left femur?", 1) == TEXTS[:1]
    assert set(shelf.find("left", 8)) == {TEXTS[0], TEXTS[2], TEXTS[3]}
    same = Shelf(blobs, ["burn left", "burn right", "burn both"])
    assert same.find("burn", 3) == sorted(same.index, key=lambda text: same.index[text])
    assert shelf.find("meteorology", 8) == shelf.find("", 8) == []


@pytest.mark.parametrize(
    "fact",
    [{"gated": True}, {"consent": REVOKED}, {"copies": TEXTS[1]}, {"here": False}],
    ids=["gated", "withdrawn", "a copy", "its bytes elsewhere"],
)
def test_what_may_not_be_read_out_is_never_found(blobs: BlobStore, fact: dict[str, object]) -> None:
    """SPEC 5.202"""
    shelf = Shelf(blobs, TEXTS, **{TEXTS[0]: fact})
    found = shelf.find(TEXTS[0], 8)
    assert TEXTS[0] not in found and found[0] in TEXTS[1:3]


def test_a_row_withdrawn_since_its_version_is_passed_over(blobs: BlobStore) -> None:
    """SPEC 5.202"""
    shelf = Shelf(blobs, TEXTS)
    assert shelf.find("left femur", 2, frozenset(TEXTS[:1]))[0] in TEXTS[1:3]
    assert len(shelf.find("left femur", 2, frozenset(TEXTS[:1]))) == 2
    assert shelf.find("left femur", 2, frozenset(TEXTS)) == []


def test_rows_fill_the_room_there_is_and_no_more(blobs: BlobStore) -> None:
    """SPEC 5.201: a row that is too long is left out, the next nearest takes its place."""
    half, whole = "femur " * (MAX_CONTEXT_BYTES // 12), "femur " * MAX_CONTEXT_BYTES
    shelf = Shelf(blobs, [half.strip(), whole.strip(), "femur bone left", "femur bone right side"])
    found = shelf.find("femur", 8)
    assert set(found) == {half.strip(), "femur bone left", "femur bone right side"}
    assert sum(len(text.encode()) for text in found) <= MAX_CONTEXT_BYTES


def test_a_model_without_a_version_has_nothing_to_retrieve(blobs: BlobStore) -> None:
    """SPEC 5.215"""
    with pytest.raises(NothingToRetrieve):
        Retriever(blobs, lambda _: pytest.fail("read"), lambda *_: False).find(model(None), "femur", 2)
