"""What the worker is given: the version's rows as the manifest commits to them, and blobs by CID alone."""

import json

import pytest

from node.blobs.sealed import CannotOpen
from node.datanet.icd10 import row_of, select_codes
from node.datanet.worker_source import WorkerSource
from node.errors import InvalidInput, NotFound
from protocol.cid import cid_of_raw
from protocol.hashing import from_hex
from protocol.manifest import Row, content_digest
from tests.node.actors import DatanetNode, send_blobs

ROWS = [row_of(code) for code in select_codes(6, "worker source")]


@pytest.mark.parametrize("gated", [False, True])
def test_rows_come_in_order_and_match_the_manifest(curator: DatanetNode, datanet: int, gated: bool) -> None:
    """SPEC 2.7"""
    curator.review.decide(curator.contributions.submit(datanet, ROWS, "CC0-1.0", gated))
    published = curator.versions.publish(datanet)
    lines = [
        json.loads(json.dumps(line))
        for line in WorkerSource(curator.blobs, curator.vault).rows(published.cid.text)
    ]
    assert [line["index"] for line in lines] == list(range(len(ROWS)))
    for line, entry in zip(lines, published.manifest.rows, strict=True):
        salt = from_hex(line["salt"], 32) if line["salt"] else b""
        assert bool(salt) == gated
        assert content_digest(Row(**line["row"]), salt) == from_hex(entry.digest, 32)


def test_a_node_without_grants_serves_no_gated_row(
    curator: DatanetNode, copier: DatanetNode, datanet: int
) -> None:
    """SPEC 2.7"""
    curator.review.decide(curator.contributions.submit(datanet, ROWS, "CC0-1.0", True))
    published = curator.versions.publish(datanet)
    send_blobs(curator, copier)
    with pytest.raises(CannotOpen):
        next(WorkerSource(copier.blobs, copier.vault).rows(published.cid.text))


def test_blobs_are_asked_for_by_cid_and_never_by_path(curator: DatanetNode) -> None:
    """SPEC 1.6"""
    source = WorkerSource(curator.blobs, curator.vault)
    cid = source.put(b"an adapter")
    assert source.get(cid) == b"an adapter" and cid == cid_of_raw(b"an adapter").text
    with pytest.raises(NotFound):
        source.get(cid_of_raw(b"absent").text)
    for path in ("../node.sqlite", "/etc/passwd", cid + "/..", ""):
        with pytest.raises(InvalidInput):
            source.get(path)
        with pytest.raises(InvalidInput):
            source.rows(path)
    with pytest.raises(InvalidInput, match="manifest"):
        source.rows(cid)
