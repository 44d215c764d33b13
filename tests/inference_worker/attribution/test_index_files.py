import os
from pathlib import Path

import pytest

from inference_worker.attribution.index_files import IndexFiles
from inference_worker.blobs.node_blobs import NodeBlobs, cid_of
from inference_worker.errors import BlobCorrupt, IndexTooLarge
from protocol.unixfs import CHUNK_BYTES
from tests.inference_worker.blob_server import TOKEN, BlobServer

LARGE = bytes(range(256)) * (CHUNK_BYTES // 256) * 2 + b"tail"


@pytest.mark.parametrize("data", [b"", b"x", LARGE[:CHUNK_BYTES], LARGE])
def test_a_file_is_under_the_name_that_the_node_gives_it(tmp_path: Path, data: bytes) -> None:
    """SPEC 5.105"""
    cid = IndexFiles(tmp_path).put([data[:7], data[7:]])
    assert cid == cid_of(data)
    assert IndexFiles(tmp_path).path(cid).read_bytes() == data


def test_a_changed_file_is_deleted_and_fetched_anew(tmp_path: Path, node: BlobServer) -> None:
    """SPEC 5.105: one bit in its second page; what is whole is not fetched again."""
    cid, blobs = node.put(LARGE), NodeBlobs(node.socket, TOKEN)
    IndexFiles(tmp_path).fetch(cid, blobs)
    data = bytearray(LARGE)
    data[CHUNK_BYTES + 5] ^= 1
    (tmp_path / cid).write_bytes(data)
    with pytest.raises(BlobCorrupt):
        IndexFiles(tmp_path).path(cid)
    assert not (tmp_path / cid).exists()
    (tmp_path / cid).write_bytes(data)
    files = IndexFiles(tmp_path)
    files.fetch(cid, blobs)
    assert files.path(cid).read_bytes() == LARGE
    del node.blobs[cid]
    IndexFiles(tmp_path).fetch(cid, blobs)


def test_a_node_that_hands_over_other_bytes_is_not_believed(tmp_path: Path, node: BlobServer) -> None:
    """SPEC 5.105"""
    cid = node.put(b"honest")
    node.blobs[cid] = b"forged"
    with pytest.raises(BlobCorrupt):
        IndexFiles(tmp_path / "files").fetch(cid, NodeBlobs(node.socket, TOKEN))
    assert list((tmp_path / "files").iterdir()) == []


def test_what_was_not_used_for_longest_makes_room(tmp_path: Path) -> None:
    """SPEC 5.127"""
    files = IndexFiles(tmp_path)
    cids = [files.put([bytes([n]) * 100]) for n in range(4)]
    for age, cid in enumerate(cids):
        os.utime(tmp_path / cid, (age, age))
    files.path(cids[0])
    files.make_room(150, 400, keep={cids[1]})
    assert {path.name for path in tmp_path.iterdir()} == {cids[0], cids[1]}
    files.make_room(10**9, 0, keep=cids)
    assert {path.name for path in tmp_path.iterdir()} == {cids[0], cids[1]}


def test_without_room_on_the_disk_nothing_is_begun(tmp_path: Path) -> None:
    """SPEC 5.104"""
    with pytest.raises(IndexTooLarge):
        IndexFiles(tmp_path).check_room(1 << 60)


def test_what_a_kill_left_half_written_is_removed(tmp_path: Path) -> None:
    """SPEC 5.103"""
    (tmp_path / "file.part").write_bytes(b"half")
    IndexFiles(tmp_path)
    assert list(tmp_path.iterdir()) == []
