"""The oracle trains without a contributor, for real, and goes on where it was stopped."""

from dataclasses import replace
from pathlib import Path

import pytest

from inference_worker.base.chat import render_answer, render_question
from inference_worker.base.load import Base
from inference_worker.blobs.node_blobs import NodeBlobs
from inference_worker.errors import JobCancelled, RequestInvalid
from inference_worker.training import oracle
from inference_worker.training.dataset import load_dataset
from inference_worker.training.job_folder import JobFolder
from inference_worker.training.oracle import ask_oracle, retrainings, summary
from inference_worker.training.recipe import parse_recipe
from protocol.types import Address
from protocol.wire_jobs import JobSpec, OracleQuestion
from tests.inference_worker.blob_server import TOKEN, BlobServer
from tests.inference_worker.training.test_jobs import CODES, publish, qa, spec

RECIPE = {"rank": 4, "alpha": 8, "passes": 3, "batch": 4, "learning_rate": "0.01", "checkpoints": 1}
OWNER = Address("0x" + f"{1:040x}")


def ordered(node: BlobServer, base: Base, manifest: str, owner: Address = OWNER) -> JobSpec:
    question = OracleQuestion(
        owner,
        tuple(render_question(base.tokenizer, qa(0).prompt)),
        tuple(render_answer(base.tokenizer, qa(0).completion)),
    )
    plain = spec(node, base, manifest, recipe=RECIPE, held_out_cid=None)
    return replace(plain, kind="oracle", oracle=question)


def test_leaving_a_contributor_out_makes_their_answer_less_likely_and_a_kill_changes_nothing(
    node: BlobServer, tiny_base: Base, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SPEC 5.174"""
    manifest, blobs = publish(node), NodeBlobs(node.socket, TOKEN)
    job = JobFolder(tmp_path / "whole")
    asked = ordered(node, tiny_base, manifest)
    job.create(asked)
    whole = ask_oracle(job, asked, blobs, tiny_base)
    assert (whole["rows_left_out"], whole["rows"]) == (len(CODES) // 3, len(CODES))
    assert int(str(whole["effect_micronats"])) > 0
    assert job.status().step == job.status().steps

    stopped = JobFolder(tmp_path / "stopped")
    stopped.create(asked)
    with monkeypatch.context() as once:
        once.setattr(oracle, "_telling", lambda progress, before: _stops_at(7 - before))
        with pytest.raises(JobCancelled):
            ask_oracle(stopped, asked, blobs, tiny_base)
    assert ask_oracle(stopped, asked, blobs, tiny_base) == whole


def _stops_at(step: int):  # type: ignore[no-untyped-def]
    def told(report: oracle.StepReport) -> None:
        if report.step >= step:
            raise JobCancelled("job-1")

    return told


@pytest.mark.parametrize("owner", [Address("0x" + "77" * 20), Address("0x" + "99" * 20)])
def test_who_brought_no_trained_row_has_no_effect_to_ask_for(
    node: BlobServer, tiny_base: Base, owner: Address
) -> None:
    """SPEC 5.174: a stranger, and one who brought a copy only."""
    dataset = load_dataset(NodeBlobs(node.socket, TOKEN), publish(node))
    with pytest.raises(RequestInvalid):
        retrainings(dataset, parse_recipe(RECIPE), owner)


def test_an_effect_within_twice_the_noise_is_told_from_nothing() -> None:
    """SPEC 5.174"""
    clear = summary([-100, -900, -120, -880])
    assert (clear["effect_micronats"], clear["noise_micronats"]) == (780, 20)
    assert clear["told_from_noise"] is True
    assert summary([-100, -900, -900, -300])["told_from_noise"] is False
    assert summary([-5, -5, -5, -5])["told_from_noise"] is False


def test_a_job_without_its_question_is_refused(node: BlobServer, tiny_base: Base) -> None:
    """SPEC 5.174"""
    asked = ordered(node, tiny_base, publish(node))
    assert JobSpec.from_json(asked.to_json()) == asked
    for wrong in (replace(asked, oracle=None), replace(asked, kind="training")):
        with pytest.raises(ValueError, match="oracle"):
            JobSpec.from_json(wrong.to_json())
