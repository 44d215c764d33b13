"""Validity reports of a bundle: its own, then those ordered and checked here, the newest first."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace

import pytest

from node.blobs.store import BlobStore
from node.store.database import Database
from node.store.models import TrainingTable
from node.training.bundle import Bundle, read_bundle
from node.training.coordinator import TrainingCoordinator, ValidityOrder
from node.training.follower import TrainingFollower
from node.training.reports import OF_BUNDLE, Reports
from protocol.cid import Cid
from protocol.validity import ValidityReport, encode_validity
from tests.node.bundles_made import bundle_files, put_bundle, with_report
from tests.node.training.test_coordinator import ScriptedWorker, watched
from tests.protocol.validity_made import made_report


@pytest.fixture
def questions(blobs: BlobStore) -> Cid:
    return blobs.put(b"questions kept out of training")


@pytest.fixture
def bundle(blobs: BlobStore) -> Bundle:
    files = bundle_files(blobs.put(b"a dataset manifest"), blobs.put(b"an index"))
    return read_bundle(blobs, put_bundle(blobs, with_report(files)))


def larger(bundle: Bundle, questions: Cid) -> ValidityReport:
    """What a worker would measure for an order on these questions."""
    report = made_report(bundle.manifest.adapter_sha256, bundle.manifest.dataset_manifest.text)
    return replace(report, design=replace(report.design, held_out_cid=questions.text))


def answer(blobs: BlobStore, report: ValidityReport) -> Mapping[str, object]:
    return {
        "validity_cid": blobs.put(encode_validity(report)).text,
        "retrainings": len(report.retrainings),
        "seconds": 9,
    }


async def ordered(
    database: Database, blobs: BlobStore, bundle: Bundle, questions: Cid, result: Mapping[str, object]
) -> str:
    """The last state of an order whose worker ends with `result`."""
    worker = ScriptedWorker(lambda: dict(result))
    node = TrainingCoordinator(TrainingTable(database), blobs, worker, now=lambda: 1000, poll_seconds=0.001)
    job_id = await node.start_validity(
        ValidityOrder(3, 1, bundle, questions, 16, 4, bundle.manifest.validity)
    )
    [given] = worker.given
    assert given.kind == "validity" and given.adapter_cid == bundle.cid.text
    assert bundle.manifest.validity is not None and given.report_cid == bundle.manifest.validity.text
    return (await watched(node, job_id))[-1].state


async def test_the_newest_report_is_the_one_that_was_ordered_last(
    database: Database, blobs: BlobStore, bundle: Bundle, questions: Cid
) -> None:
    """SPEC 5.233"""
    reports = Reports(TrainingTable(database), blobs)
    own = reports.newest(bundle)
    assert own is not None and own.source == OF_BUNDLE and own.cid == bundle.manifest.validity
    report = larger(bundle, questions)
    assert await ordered(database, blobs, bundle, questions, answer(blobs, report)) == "done"
    newest = reports.newest(bundle)
    assert newest is not None and newest.report == report
    assert newest.ordered_at == 1000 and newest.source.startswith("validity-")


async def test_a_report_of_another_adapter_or_order_is_refused(
    database: Database, blobs: BlobStore, bundle: Bundle, questions: Cid
) -> None:
    """SPEC 5.233"""
    report, reports = larger(bundle, questions), Reports(TrainingTable(database), blobs)
    wrong = [
        answer(blobs, replace(report, adapter_sha256="0x" + "00" * 32)),
        answer(blobs, replace(report, design=replace(report.design, held_out_cid="bafy-other"))),
        {**answer(blobs, report), "retrainings": 99},
        {**answer(blobs, report), "validity_cid": blobs.put(b"{}").text},
        {**answer(blobs, report), "validity_cid": "no cid"},
        {**answer(blobs, report), "bundle_cid": bundle.cid.text},
    ]
    for result in wrong:
        assert await ordered(database, blobs, bundle, questions, result) == "failed"
    own = reports.newest(bundle)
    assert own is not None and own.source == OF_BUNDLE


async def test_a_running_report_is_known_and_followed_to_its_end(
    database: Database, blobs: BlobStore, bundle: Bundle, questions: Cid
) -> None:
    """SPEC 5.233"""
    table, report = TrainingTable(database), larger(bundle, questions)
    worker = ScriptedWorker(lambda: dict(answer(blobs, report)))
    node = TrainingCoordinator(table, blobs, worker, now=lambda: 1000, poll_seconds=0.001)
    follower, reports = TrainingFollower(node), Reports(table, blobs)
    await follower.start()
    job_id = await node.start_validity(ValidityOrder(3, 1, bundle, questions, 16, 4))
    assert reports.unfinished(bundle) == job_id
    follower.follow(job_id)
    following = [task for task in asyncio.all_tasks() if task.get_name() == follower.name]
    _, waiting = await asyncio.wait(following, timeout=20)
    assert not waiting and table.get(job_id).state == "done" and reports.unfinished(bundle) is None
    await follower.stop()
