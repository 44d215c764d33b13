import pytest

from inference_worker.blobs.node_blobs import NodeBlobs, cid_of
from inference_worker.errors import BlobCorrupt, BlobMissing, NodeUnreachable, RowMismatch
from protocol.manifest import Row
from tests.inference_worker.blob_server import TOKEN, BlobServer

ROWS = [
    (Row("qa", "Which code?", " E11.9", {}), "0x" + "11" * 20, None),
    (Row("qa", "Which one?", " H40.1", {}), "0x" + "22" * 20, None),
]


def client(node: BlobServer, token: str = TOKEN) -> NodeBlobs:
    return NodeBlobs(node.socket, token)


@pytest.mark.parametrize("size", [0, 5, (1 << 20) + 7])
def test_what_was_put_comes_back_under_its_cid(node: BlobServer, size: int) -> None:
    """SPEC 2.24"""
    data = bytes(range(256)) * (size // 256 + 1)
    cid = client(node).put(data[:size])
    assert cid == cid_of(data[:size]) and client(node).get(cid) == data[:size]


def test_bytes_that_do_not_hash_to_their_cid_are_refused(node: BlobServer) -> None:
    """SPEC 2.24"""
    cid = client(node).put(b"honest")
    node.blobs[cid] = b"forged"
    with pytest.raises(BlobCorrupt) as refused:
        client(node).get(cid)
    assert refused.value.actual == cid_of(b"forged")


def test_missing_content_and_bad_tokens_have_their_own_errors(node: BlobServer) -> None:
    with pytest.raises(BlobMissing):
        client(node).get(cid_of(b"never stored"))
    with pytest.raises(NodeUnreachable, match="401"):
        client(node, "wrong").get(cid_of(b"x"))
    with pytest.raises(NodeUnreachable):
        NodeBlobs(node.socket + ".gone", TOKEN).get(cid_of(b"x"))


def test_rows_come_checked_against_the_manifest(node: BlobServer) -> None:
    """SPEC 2.24"""
    manifest = node.publish(ROWS, gated={1: b"\x07" * 32})
    found = list(client(node).rows(manifest))
    assert {source.row.completion for source in found} == {" E11.9", " H40.1"}
    assert [source.place.gated for source in found if source.row.completion == " H40.1"] == [True]


def test_a_row_with_other_content_is_refused(node: BlobServer) -> None:
    """SPEC 2.24"""
    manifest = node.publish(ROWS)
    row = node.rows[manifest][1]["row"]
    assert isinstance(row, dict)
    row["completion"] = " Z99.9"
    with pytest.raises(RowMismatch):
        list(client(node).rows(manifest))
