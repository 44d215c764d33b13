"""What the worker is given: the version's rows as the manifest commits to them, read as the worker does."""

import json
from collections.abc import Iterator

import pytest

from inference_worker.blobs.node_blobs import checked_row
from node.api.worker_source import WorkerBlobs, WorkerRows
from node.attribution.attributor import Versions as Manifests
from node.blobs.sealed import CannotOpen
from node.datanet.icd10 import row_of, select_codes
from node.errors import NotFound
from protocol.cid import cid_of_raw
from protocol.errors import CidError
from tests.node.actors import METADATA, DatanetNode, World, running_world, send_blobs, start_node

ROWS = [row_of(code) for code in select_codes(6, "worker source")]


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with running_world() as started:
        yield started


@pytest.fixture
def curator(world: World) -> Iterator[DatanetNode]:
    node = start_node(world, "curator")
    yield node
    node.database.close()


def publish(curator: DatanetNode, gated: bool):
    datanet = curator.contracts.create("ICD-10-CM coding", "icd-10-cm", gated, "CC0-1.0", METADATA)
    curator.review.decide(curator.contributions.submit(datanet, ROWS, "CC0-1.0", gated))
    return curator.versions.publish(datanet)


@pytest.mark.parametrize("gated", [False, True])
def test_every_row_passes_the_workers_own_check(curator: DatanetNode, gated: bool) -> None:
    """SPEC 2.7"""
    published = publish(curator, gated)
    lines = WorkerRows(Manifests(curator.blobs), curator.vault).rows(published.cid.text)
    found = [
        checked_row(json.dumps(line, ensure_ascii=False).encode() + b"\n", published.manifest.rows, "test")
        for line in lines
    ]
    assert [source.place for source in found] == list(published.manifest.rows)
    assert sorted(source.row.completion for source in found) == sorted(row.completion for row in ROWS)


def test_a_node_without_grants_serves_no_gated_row(world: World, curator: DatanetNode) -> None:
    """SPEC 2.7"""
    published = publish(curator, True)
    stranger = start_node(world, "stranger")
    send_blobs(curator, stranger)
    with pytest.raises(CannotOpen):
        next(WorkerRows(Manifests(stranger.blobs), stranger.vault).rows(published.cid.text))


def test_blobs_are_asked_for_by_cid_and_never_by_path(curator: DatanetNode) -> None:
    """SPEC 1.6"""
    source = WorkerBlobs(curator.blobs)
    cid = source.put(b"an adapter")
    assert source.get(cid) == b"an adapter" and cid == cid_of_raw(b"an adapter").text
    with pytest.raises(NotFound):
        source.get(cid_of_raw(b"absent").text)
    for path in ("../node.sqlite", "/etc/passwd", cid + "/..", ""):
        with pytest.raises(CidError):
            source.get(path)
