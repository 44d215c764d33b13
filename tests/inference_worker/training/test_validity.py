"""A small real training judged by real retrainings, in one process, stopped and taken up again."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from inference_worker.attribution.influence import InfluenceQuery, Ledger, gradient_units
from inference_worker.base.load import Base, load_base
from inference_worker.blobs.node_blobs import NodeBlobs
from inference_worker.errors import JobCancelled
from inference_worker.training import stages
from inference_worker.training.job_folder import JobFolder
from inference_worker.training.progress import JobProgress, Phase
from inference_worker.training.run import run_job
from inference_worker.training.validity import measure
from inference_worker.training.validity_course import Course, Subject, work_of
from protocol.canonical import canonical_json
from protocol.validity import ValidityReport, decode_validity, encode_validity
from protocol.wire_jobs import JobSpec
from tests.inference_worker.blob_server import TOKEN, BlobServer
from tests.inference_worker.training.made_jobs import CODES, publish, spec

RECIPE = {"rank": 4, "alpha": 8, "passes": 2, "batch": 4, "learning_rate": "0.01"}
SMALL = {"validity_subsets": 2, "validity_contributors": 2, "validity_rows": 10, "validity_passes": 1}


def recipe(**changes: object) -> dict[str, object]:
    return {**RECIPE, **SMALL, **changes}


@dataclass(frozen=True)
class Trained:
    """A finished training, ready to be judged in any folder."""

    order: JobSpec
    base: Base
    subject: Subject
    course: Course

    def judge(self, folder: Path, on_work: Callable[[int, str], None]) -> ValidityReport:
        folder.mkdir(exist_ok=True)
        return measure(self.base, self.subject, self.course, folder, on_work)


@pytest.fixture(scope="module")
def trained(tiny_base_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """Judging leaves it as it was; its general questions are few, for time."""
    path = tmp_path_factory.mktemp("judged")
    base, folder = load_base(tiny_base_dir, verify=False), JobFolder(path / "job")
    with BlobServer(path / "node.sock") as server:
        order = spec(server, base, publish(server), recipe=recipe())
        folder.create(order)
        plan = stages.make_plan(order, NodeBlobs(server.socket, TOKEN), base)
    progress = stages.start_progress(folder, plan)
    adapter = stages.train_adapter(folder, plan, base, progress)
    index = stages.index_of(folder, plan, base, adapter, progress)
    course = replace(stages.course_of(plan), general=stages.course_of(plan).general[:2])
    return Trained(order, base, stages.subject_of(plan, base, adapter, index), course)


class Stopped(Exception):
    """As a cancel mark, a signal or a power cut would."""


def test_a_report_is_resumed_after_any_unit_and_is_the_same_to_the_byte(
    trained: Trained, tmp_path: Path
) -> None:
    """SPEC 5.229"""
    units: list[int] = []
    whole = trained.judge(tmp_path / "whole", lambda done, _: units.append(done))
    assert units == sorted(units) and units[-1] == work_of(trained.course, trained.subject.recipe)
    for after in (2, units[-1] - 3):
        folder, resumed = tmp_path / f"after-{after}", []

        def stop(done: int, _: str, after: int = after) -> None:
            if done >= after:
                raise Stopped

        with pytest.raises(Stopped):
            trained.judge(folder, stop)
        report = trained.judge(folder, lambda done, _: resumed.append(done))  # noqa: B023
        assert encode_validity(report) == encode_validity(whole)
    # Every retraining was finished when the last one was stopped, so none was made again.
    assert len(resumed) < len(units)


def test_a_report_says_what_was_retrained_and_for_whom(trained: Trained, tmp_path: Path) -> None:
    """SPEC 5.222, 5.230"""
    report = trained.judge(tmp_path / "work", lambda *_: None)
    kinds = [(one.kind, one.rows) for one in report.retrainings]
    assert kinds[:3] == [("half", 5), ("half", 5), ("whole", 10)] and len(kinds) == 5
    assert report.design.rows == len(CODES) and report.design.sampled == 10
    whole = next(one for one in report.retrainings if one.kind == "whole")
    for left, absence in zip(report.retrainings[3:], report.absences, strict=True):
        assert absence.owner == left.owner and absence.rows == 10 - left.rows
        change = [after - before for after, before in zip(left.losses, whole.losses, strict=True)]
        assert abs(absence.effect.ppm - sum(change) / len(change)) <= 1
    assert report.halves is not None and report.contributors is not None
    assert report.halves.retrainings == report.contributors.retrainings == 2
    assert report.general_unattributed is not None and report.decoy_share is not None
    assert decode_validity(encode_validity(report)) == report


def test_what_rows_are_paid_is_the_kappa_of_their_index(trained: Trained) -> None:
    """SPEC 5.181, 5.220"""
    index = trained.subject.index
    query, _ = InfluenceQuery(trained.base.model, index).code(trained.subject.examples[0].exchange)
    ledger = Ledger(base=-9_000_000, adapter=-1_000_000, tokens=4)
    clusters = np.arange(len(CODES) + 1, dtype=np.uint32)

    def paid(kappa_ppm: int) -> dict[int, float]:
        facts = replace(index.facts, kappa_ppm=kappa_ppm)
        shrunk = replace(index, head=replace(index.head, facts=facts))
        lane = gradient_units(shrunk, query, ledger, clusters)
        whole = lane.unattributed + sum(units for _, units in lane.units)
        return {row: units / whole for row, units in lane.units}

    full, half = paid(1_000_000), paid(500_000)
    assert full and half == pytest.approx({row: part / 2 for row, part in full.items()}, rel=1e-6)
    assert paid(0) == {}


def test_losses_of_other_questions_are_not_taken_for_these(trained: Trained, tmp_path: Path) -> None:
    """SPEC 5.229"""
    short = replace(trained, course=replace(trained.course, subsets=trained.course.subsets[:1]))
    first = short.judge(tmp_path / "work", lambda *_: None)
    fewer = replace(short, course=replace(short.course, questions=short.course.questions[:2]))
    again = fewer.judge(tmp_path / "work", lambda *_: None)
    assert again.questions == 2 < first.questions


def run(folder: JobFolder, node: BlobServer, base_dir: Path, order: JobSpec) -> dict[str, object]:
    folder.create(order)
    run_job(folder, NodeBlobs(node.socket, TOKEN), base_dir)
    status = folder.status()
    assert status.state == "done" and status.result is not None, status
    return dict(status.result)


@pytest.mark.slow
def test_more_retrainings_are_added_to_a_published_bundle_s_report(
    node: BlobServer, tiny_base: Base, tiny_base_dir: Path, tmp_path: Path
) -> None:
    """SPEC 5.231"""
    blobs = NodeBlobs(node.socket, TOKEN)
    order = spec(node, tiny_base, publish(node), recipe=recipe())
    bundle_cid = str(run(JobFolder(tmp_path / "one"), node, tiny_base_dir, order)["bundle_cid"])
    files = {file["name"]: file["cid"] for file in json.loads(blobs.get(bundle_cid))["files"]}
    facts = json.loads(blobs.get(files["manifest.json"]))
    first = decode_validity(blobs.get(files["validity.json"]))
    assert facts["validity_cid"] == files["validity.json"]
    assert facts["kappa_ppm"] == first.shrinkage.kappa_ppm
    assert "How far the attribution can be believed" in blobs.get(files["README.md"]).decode()

    # Spoilt losses show that the first retrainings are taken from the report and not made again.
    marked = [{**one, "losses": [7] * first.questions} for one in told(first)["retrainings"]]
    spoilt = node.put(canonical_json({**told(first), "retrainings": marked}))
    more = spec(
        node,
        tiny_base,
        order.manifest_cid,
        job_id="job-2",
        kind="validity",
        recipe={"validity_subsets": 4, "validity_contributors": 3},
        adapter_cid=bundle_cid,
        report_cid=spoilt,
    )
    result = run(JobFolder(tmp_path / "two"), node, tiny_base_dir, more)
    second = decode_validity(blobs.get(str(result["validity_cid"])))
    assert [one.kind for one in second.retrainings].count("half") == 4 and second.left_out == 3
    assert sum(set(one.losses) == {7} for one in second.retrainings) == len(first.retrainings)


def test_what_is_no_report_or_no_bundle_fails_the_job_in_words(
    node: BlobServer, tiny_base: Base, tiny_base_dir: Path, tmp_path: Path
) -> None:
    """SPEC 5.231"""
    listing = node.put(canonical_json({"files": []}))
    order = spec(node, tiny_base, publish(node), kind="validity", recipe={}, adapter_cid=listing)
    folder = JobFolder(tmp_path / "job")
    folder.create(order)
    run_job(folder, NodeBlobs(node.socket, TOKEN), tiny_base_dir)
    assert folder.status().state == "failed" and "adapter_config.json" in folder.status().message


def test_a_cancelled_report_ends_the_job(trained: Trained, tmp_path: Path) -> None:
    """SPEC 5.229"""
    folder = JobFolder(tmp_path / "job")
    folder.create(trained.order)
    folder.cancel()
    progress = JobProgress(folder, (Phase("validity", work_of(trained.course, trained.subject.recipe), 1.0),))
    with pytest.raises(JobCancelled):
        trained.judge(tmp_path / "work", lambda done, what: progress.report("validity", done, message=what))


def told(report: ValidityReport) -> dict[str, Any]:
    return dict(json.loads(encode_validity(report)))
