"""Attribution in another process: the same answers and refusals, and a death that costs one request."""

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from inference_worker.attribution.index import decode_head, encode_head
from inference_worker.attribution.process import (
    AttributionProcess,
    AttributionProcessDied,
    AttributionSettings,
    PublicDataUnreadable,
)
from inference_worker.attribution.service import AttributionService
from inference_worker.blobs.node_blobs import cid_of
from inference_worker.errors import BlobMissing
from protocol.index_listing import decode_listing, encode_listing
from protocol.index_pages import read_rows
from protocol.tolerance import Tier, signs_tier
from protocol.wire import RowsRequest
from tests.inference_worker.attribution.trained_model import TrainedModel


def settings(trained: TrainedModel, folder: Path) -> AttributionSettings:
    return AttributionSettings(trained.base_dir, Path(trained.node_socket), trained.token_file, folder, 1)


@pytest.fixture(scope="module")
def apart(trained: TrainedModel, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AttributionProcess]:
    process = AttributionProcess(settings(trained, tmp_path_factory.mktemp("apart")))
    yield process
    process.close()


def test_an_answer_attributed_apart_has_the_same_sources(
    trained: TrainedModel, apart: AttributionProcess, tmp_path: Path
) -> None:
    """SPEC 5.160: also when several threads ask at once."""
    here = AttributionService(trained.base, trained.blobs, tmp_path)
    asked = [trained.request(place) for place in range(4)]
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(apart.attribute, asked))
    assert found == [here.attribute(request) for request in asked]
    assert any(lane.units for result in found for lane in result.lanes)


def test_a_refusal_crosses_with_its_values(trained: TrainedModel, apart: AttributionProcess) -> None:
    """SPEC 5.160"""
    absent = cid_of(b"no index")
    with pytest.raises(BlobMissing) as refused:
        apart.attribute(trained.request(index_cid=absent))
    assert refused.value.cid == absent
    garbage = str(trained.result["bundle_cid"])
    with pytest.raises(PublicDataUnreadable, match="manifest"):
        apart.attribute(trained.request(index_cid=index_of(trained, garbage), manifest_cid=garbage))


def index_of(trained: TrainedModel, manifest_cid: str) -> str:
    """The trained index, but for the manifest that it says it is of."""
    listing = decode_listing(trained.blobs.get(str(trained.result["index_cid"])))
    head = decode_head(trained.blobs.get(listing.head))
    changed = encode_head(replace(head, facts=replace(head.facts, manifest_cid=manifest_cid)))
    return trained.blobs.put(encode_listing(replace(listing, head=trained.blobs.put(changed))))


def test_a_process_that_dies_costs_its_request_alone(
    trained: TrainedModel, apart: AttributionProcess
) -> None:
    """SPEC 5.161: the next request finds another process, and the same sources."""
    first, before = apart.attribute(trained.request()), apart.pid
    os.kill(before, signal.SIGSTOP)
    with ThreadPoolExecutor(1) as thread:
        asked = thread.submit(apart.attribute, trained.request())
        os.kill(before, signal.SIGKILL)
        with pytest.raises(AttributionProcessDied, match="r-0"):
            asked.result()
    assert apart.attribute(trained.request()) == first
    assert apart.pid != before


def test_one_that_hangs_is_ended_and_closing_ends_it_for_good(trained: TrainedModel, tmp_path: Path) -> None:
    """SPEC 5.161: beyond all patience it is killed; a close waits for nothing."""
    process = AttributionProcess(settings(trained, tmp_path), patience=0.2)
    hung = process.pid
    os.kill(hung, signal.SIGSTOP)
    with pytest.raises(AttributionProcessDied):
        process.attribute(trained.request())
    another = process.pid
    assert another != hung
    os.kill(another, signal.SIGSTOP)
    process.close()
    for pid in (hung, another):
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
    with pytest.raises(AttributionProcessDied):
        process.attribute(trained.request())


def test_rows_signs_are_computed_anew_as_the_index_has_them(
    trained: TrainedModel, apart: AttributionProcess
) -> None:
    """SPEC 5.169, 5.173: each row's own, and no other row's; a row that is not handed out is left out."""
    blobs, cid = trained.blobs, str(trained.result["index_cid"])
    listing = decode_listing(blobs.get(cid))
    columns = {name: [blobs.get(file)] for name, file in listing.segments[0].files.items()}
    stated = {row.row: row.signs for row in read_rows(listing.shape, listing.rows, columns)}
    asked = RowsRequest(cid, trained.manifest_cid, 256, (*stated, 2**20))
    found = apart.recheck(asked).signs
    assert set(found) == set(stated)
    for row, signs in stated.items():
        for number, one in enumerate(signs):
            assert signs_tier(one, found[row][number]) is not Tier.REFUSED
            others = (other[number] for key, other in found.items() if key != row)
            assert all(signs_tier(one, other) is Tier.REFUSED for other in others)
