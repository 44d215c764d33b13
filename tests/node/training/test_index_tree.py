import pytest

from node.blobs.store import BlobStore
from node.chain.keccak import keccak
from node.errors import NotFound
from node.training.index_tree import BadIndex, index_tree
from protocol.cid import cid_of_raw
from protocol.index_listing import decode_listing, encode_listing
from protocol.index_pages import FLAG_DECOY, FLAG_INFORMATIVE, head_payload, row_payload, verify_row
from protocol.merkle import root
from tests.node.index_made import DECOYS, SHAPE, put_index

ROWS = 300


def test_the_root_is_over_listing_decoys_and_rows(blobs: BlobStore) -> None:
    """SPEC 5.123: and a row asked for is proved by its record and a path, in whichever segment it is."""
    cid = put_index(blobs, ROWS)
    tree = index_tree(blobs, cid, wanted=[0, 2, 299, 300, 598])
    assert tree.rows == ROWS and sorted(tree.proven) == [0, 2, 300, 598]
    for row, proven in tree.proven.items():
        assert proven.proof.index == 1 + DECOYS + row // 2
        assert int.from_bytes(proven.record[:4], "big") == row and proven.record[4] == FLAG_INFORMATIVE
        assert len(proven.record) == SHAPE.record_bytes()
        assert verify_row(proven.record, proven.proof, tree.root, keccak)
    every = index_tree(blobs, cid, wanted=range(2 * ROWS)).proven
    decoys = [_decoy(number) for number in range(DECOYS)]
    records = [*decoys, *(every[row].record for row in sorted(every))]
    payloads = [head_payload(cid.digest, keccak), *(row_payload(record, keccak) for record in records)]
    assert root(payloads, keccak) == tree.root == index_tree(blobs, cid).root


def _decoy(number: int) -> bytes:
    names = [f"{point}.{what}" for point in range(SHAPE.checkpoints) for what in ("magnitude", "signs")]
    files = {name: (name.encode() * size)[:size] for name, size in SHAPE.columns(DECOYS).items()}
    parts = [number.to_bytes(4, "big"), bytes([FLAG_DECOY])]
    for name in names:
        if name.endswith("magnitude"):
            parts.append(files[name][2 * number : 2 * number + 2][::-1])
        else:
            # Width 64: one word a row, rows side by side.
            parts.append(files[name][8 * number : 8 * number + 8])
    return b"".join(parts)


def test_any_changed_byte_is_another_root(blobs: BlobStore) -> None:
    """SPEC 5.123: a code, a magnitude and a flag of one row; the same files give the same root."""
    honest = index_tree(blobs, put_index(blobs, ROWS)).root
    sizes = SHAPE.columns(ROWS // 2)
    found = {honest}
    for name in ("0.signs", "1.magnitude", "flags"):
        data = bytearray((name.encode() * sizes[name])[: sizes[name]])
        if name == "flags":
            data = bytearray([FLAG_INFORMATIVE] * (ROWS // 2))
        data[7] ^= 1
        found.add(index_tree(blobs, put_index(blobs, ROWS, {name: bytes(data)})).root)
    assert len(found) == 4
    assert index_tree(blobs, put_index(blobs, ROWS)).root == honest


@pytest.mark.parametrize(
    "changes",
    [
        {"rows": b"".join(n.to_bytes(4, "little") for n in range(ROWS // 2))},
        {"rows": bytes(4 * (ROWS // 2))},
        {"rows": b"\xff\xff\xff\xff" * (ROWS // 2 - 1)},
        {"flags": bytes([FLAG_DECOY]) * (ROWS // 2)},
        {"flags": bytes([8]) * (ROWS // 2)},
        {"0.signs": bytes(SHAPE.columns(ROWS // 2)["0.signs"] + 1)},
        {"1.magnitude": b""},
    ],
    ids=["overlap", "repeated", "short", "decoys", "unknown flag", "long signs", "no magnitudes"],
)
def test_files_that_contradict_the_listing_are_refused(blobs: BlobStore, changes: dict[str, bytes]) -> None:
    """SPEC 5.124"""
    with pytest.raises(BadIndex):
        index_tree(blobs, put_index(blobs, ROWS, changes))


def test_what_is_no_listing_or_names_files_that_are_not_here(blobs: BlobStore) -> None:
    """SPEC 5.124"""
    with pytest.raises(BadIndex):
        index_tree(blobs, blobs.put(b"an index of the old form"))
    listing = decode_listing(blobs.get(put_index(blobs, ROWS)))
    gone = listing.segments[0].files["0.signs"]
    data = encode_listing(listing).replace(gone.encode(), cid_of_raw(b"gone").text.encode())
    with pytest.raises(NotFound):
        index_tree(blobs, blobs.put(data))
