import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from inference_worker.attribution.index_files import IndexFiles
from inference_worker.attribution.index_store import fetch_index, open_index
from inference_worker.attribution.service import AttributionService
from inference_worker.base.chat import render_answer, render_question
from inference_worker.base.context import place_in_chat
from inference_worker.base.load import Base
from inference_worker.blobs.node_blobs import NodeBlobs
from inference_worker.errors import JobConflict, JobUnknown
from inference_worker.training.bundle_reader import read_bundle
from inference_worker.training.jobs import JobRunner
from protocol.attribution import Lane
from protocol.canonical import parse_json
from protocol.context import ContextRow, row_text
from protocol.retrieval import draw_nulls, orders_of, retrievable_rows, retrieval_lane, seed_of
from protocol.wire import AttributeRequest
from protocol.wire_jobs import JobStatus
from tests.inference_worker.blob_server import TOKEN, BlobServer
from tests.inference_worker.training.made_jobs import CODES, RECIPE, publish, qa, spec

WAIT_SECONDS = 240
COVARIANCE = {"covariance_adapters": 16, "covariance_layers": 1}


@pytest.fixture
def runner(node: BlobServer, tiny_base_dir: Path, tmp_path: Path) -> JobRunner:
    (tmp_path / "token").write_text(TOKEN)
    return JobRunner(tmp_path / "data", tiny_base_dir, node.socket, tmp_path / "token", threads=1)


def until(
    runner: JobRunner, job_id: str, states: tuple[str, ...] = ("done", "failed", "cancelled")
) -> JobStatus:
    deadline = time.monotonic() + WAIT_SECONDS
    while (status := runner.status(job_id)).state not in states:
        assert time.monotonic() < deadline, status
        time.sleep(0.05)
    return status


def test_a_job_leaves_a_servable_bundle_and_an_index_that_answers(
    runner: JobRunner, node: BlobServer, tiny_base: Base, tmp_path: Path
) -> None:
    """SPEC 2.29, 2.30, 2.31, 5.30, 5.149, 5.209, 5.211, 5.212"""
    manifest = publish(node)
    runner.start()
    runner.submit(spec(node, tiny_base, manifest, recipe={**RECIPE, **COVARIANCE}))
    status = until(runner, "job-1")
    assert status.state == "done", status
    runner.close()
    result = status.result
    assert result is not None and result["rows"] == len(CODES)
    blobs = NodeBlobs(node.socket, TOKEN)
    assert read_bundle(blobs, str(result["bundle_cid"]), tiny_base).modules()
    check_bundle(blobs, result, manifest)
    check_tokens(blobs, result)
    check_attribution(blobs, result, manifest, tiny_base, tmp_path)
    check_retrieval(blobs, result, manifest, tiny_base, tmp_path)


def check_bundle(blobs: NodeBlobs, result: object, manifest: str) -> None:
    assert isinstance(result, dict)
    listing = parse_json(blobs.get(result["bundle_cid"]))
    assert isinstance(listing, dict)
    files = {entry["name"]: blobs.get(entry["cid"]) for entry in listing["files"]}
    facts = json.loads(files["manifest.json"])
    assert facts["dataset_manifest_cid"] == manifest and facts["recipe_digest"] == result["recipe_digest"]
    card = files["README.md"].decode()
    assert "Gradient and losses" in card
    assert result["evaluation"]["verdict"] in card and "CC0-1.0" in card


def check_tokens(blobs: NodeBlobs, result: object) -> None:
    assert isinstance(result, dict)
    tokens = parse_json(blobs.get(result["tokens_cid"]))
    assert isinstance(tokens, dict)
    # Twelve trained rows, one of them gated: its tokens are its text and are not published.
    assert len(tokens["rows"]) == len(CODES) - 1


def asked_of(result: dict[str, Any], manifest: str, base: Base) -> AttributeRequest:
    """The first row's question with its own answer."""
    return AttributeRequest(
        request_id="r-1",
        fence=1,
        adapter_cid=result["bundle_cid"],
        index_cid=result["index_cid"],
        manifest_cid=manifest,
        prompt_ids=tuple(render_question(base.tokenizer, qa(0).prompt)),
        output_ids=tuple(render_answer(base.tokenizer, qa(0).completion)),
        min_span_tokens=2,
    )


def check_attribution(blobs: NodeBlobs, result: object, manifest: str, base: Base, tmp_path: Path) -> None:
    assert isinstance(result, dict)
    files = IndexFiles(tmp_path / "fetched")
    fetch_index(files, result["index_cid"], blobs)
    index = open_index(files, result["index_cid"])
    rows = {source.row.prompt: source.place for source in blobs.rows(manifest)}
    assert index.shape.losses == COVARIANCE["covariance_adapters"]
    assert len(index.rows) == len(CODES) and rows[qa(0).prompt.upper()].index not in index.rows
    request = asked_of(result, manifest, base)
    answer = AttributionService(base, blobs, tmp_path / "fetched").attribute(request)
    for _ in ("built", "found on disk"):
        service = AttributionService(base, blobs, tmp_path / "indexes", tmp_path / "spans")
        assert answer == service.attribute(request)
    assert [found.lane for found in answer.lanes] == [Lane.GRADIENT, Lane.SPAN] and all(
        f.ran for f in answer.lanes
    )
    assert "".join(answer.token_texts) == qa(0).completion
    assert {row for row, _ in answer.lanes[0].units} <= set(index.rows.tolist())


def check_retrieval(blobs: NodeBlobs, result: object, manifest_cid: str, base: Base, tmp_path: Path) -> None:
    """What the node recomputes is what the worker said; the gradient lane does not see the rows."""
    assert isinstance(result, dict)
    manifest, service = blobs.manifest(manifest_cid), AttributionService(base, blobs, tmp_path / "indexes")
    rows = {source.place.index: row_text(source.row) for source in blobs.rows(manifest_cid)}
    open_rows = retrievable_rows(manifest)
    plain = asked_of(result, manifest_cid, base)
    # Eight rows have to be left, so that chance can be measured.
    for count in (2, len(open_rows) - 7):
        placed = [ContextRow(row, rows[row]) for row in open_rows[:count]]
        ids, context = place_in_chat(base.tokenizer, [("user", qa(0).prompt)], placed)
        lanes = (*plain.lanes, Lane.RETRIEVAL)
        request = replace(plain, prompt_ids=ids, lanes=lanes, context=context)
        answer = service.attribute(request)
        assert answer == service.attribute(request)
        assert answer.lanes[:2] == service.attribute(plain).lanes
        lane = answer.lanes[2]
        assert lane.ran == (answer.ablations is not None) == (count == 2)
        if answer.ablations is not None:
            seed = seed_of(request.index_cid, manifest_cid, ids, request.output_ids)
            drawn = draw_nulls(open_rows, context.indexes, seed)
            assert tuple(null.row for null in answer.ablations.nulls) == drawn
            orders = orders_of(count, seed)
            tokens = len(request.output_ids)
            assert lane == retrieval_lane(context.indexes, answer.ablations, orders, tokens)


def test_a_killed_training_process_is_started_again_and_finishes(
    runner: JobRunner, node: BlobServer, tiny_base: Base, tmp_path: Path
) -> None:
    """SPEC 2.29"""
    manifest = publish(node)
    runner.start()
    runner.submit(
        spec(node, tiny_base, manifest, recipe={"passes": 40, "batch": 4, "rank": 2}, held_out_cid=None)
    )
    deadline = time.monotonic() + WAIT_SECONDS
    while runner.status("job-1").step < 25:
        assert time.monotonic() < deadline, runner.status("job-1")
        time.sleep(0.01)
    process = runner._process
    assert process is not None
    os.kill(process.pid, signal.SIGKILL)
    status = until(runner, "job-1")
    runner.close()
    assert status.state == "done", status


SERVER = """
import sys
from pathlib import Path
from inference_worker.training.jobs import JobRunner
data, base, socket, token = sys.argv[1:]
runner = JobRunner(Path(data), Path(base), socket, Path(token), threads=1)
runner.start()
sys.stdin.read()
"""


def processes_of(data: Path) -> list[str]:
    """Command lines of living job processes under a data folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = path.read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        if f"--job {data}" in command:
            found.append(command)
    return found


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the kernel ends orphans on Linux only")
def test_a_killed_server_takes_its_job_along_and_the_next_one_goes_on(
    runner: JobRunner, node: BlobServer, tiny_base: Base, tiny_base_dir: Path, tmp_path: Path
) -> None:
    """SPEC 2.29"""
    order = spec(
        node, tiny_base, publish(node), recipe={"passes": 40, "batch": 4, "rank": 2}, held_out_cid=None
    )
    runner._folder.mkdir(parents=True)
    runner.submit(order)
    arguments = [str(tmp_path / "data"), str(tiny_base_dir), node.socket, str(tmp_path / "token")]
    server = subprocess.Popen([sys.executable, "-c", SERVER, *arguments], stdin=subprocess.PIPE)
    deadline = time.monotonic() + WAIT_SECONDS
    while runner.status("job-1").step < 25:
        assert time.monotonic() < deadline and server.poll() is None
        time.sleep(0.01)
    server.kill()
    server.wait()
    while processes_of(tmp_path / "data"):
        assert time.monotonic() < deadline, "the orphan lives on"
        time.sleep(0.01)
    assert runner.status("job-1").state == "running"
    runner.start()
    assert until(runner, "job-1").state == "done"
    runner.close()


def test_a_cancelled_job_stops_and_a_waiting_one_never_begins(
    runner: JobRunner, node: BlobServer, tiny_base: Base
) -> None:
    """SPEC 2.29"""
    manifest = publish(node)
    runner.start()
    long = {"passes": 50, "batch": 1, "rank": 2}
    runner.submit(spec(node, tiny_base, manifest, recipe=long))
    runner.submit(spec(node, tiny_base, manifest, job_id="job-2", recipe=long))
    until(runner, "job-1", ("running",))
    assert runner.cancel("job-2").state == "cancelled"
    runner.cancel("job-1")
    assert until(runner, "job-1").state == "cancelled"
    runner.close()
    assert [s.state for s in runner.statuses()] == ["cancelled", "cancelled"]


def test_the_same_order_is_one_job_and_another_under_its_id_is_refused(
    runner: JobRunner, node: BlobServer, tiny_base: Base
) -> None:
    """SPEC 2.32"""
    order = spec(node, tiny_base, publish(node))
    runner._folder.mkdir(parents=True)
    first = runner.submit(order)
    assert runner.submit(order) == first and first.state == "queued" and runner._queue == ["job-1"]
    runner.submit(spec(node, tiny_base, order.manifest_cid, fence=2))
    with pytest.raises(JobConflict, match="older"):
        runner.submit(order)
    with pytest.raises(JobConflict, match="another"):
        runner.submit(spec(node, tiny_base, order.manifest_cid, fence=3, recipe={}))
    with pytest.raises(JobUnknown):
        runner.status("../job-1")


def test_a_job_for_another_base_fails_with_both_fingerprints(
    runner: JobRunner, node: BlobServer, tiny_base: Base
) -> None:
    """SPEC 2.32"""
    runner.start()
    wrong = "0x" + "ab" * 32
    runner.submit(spec(node, tiny_base, publish(node), base_fingerprint=wrong))
    status = until(runner, "job-1")
    runner.close()
    assert status.state == "failed" and wrong in status.message and tiny_base.fingerprint in status.message
