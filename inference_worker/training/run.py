"""One job from order to result, top to bottom: rows, training, index, evaluation, bundle.

Training resumes from its checkpoint and the index from its parts; the later phases are functions of what
these left and are simply run again.
"""

from __future__ import annotations

import time
from pathlib import Path

from inference_worker.base.load import Base, load_base
from inference_worker.blobs.node_blobs import Blobs
from inference_worker.errors import BaseMismatch, JobCancelled, WorkerError
from inference_worker.evaluation.held_out import parse_held_out
from inference_worker.training import stages
from inference_worker.training.bundle_reader import read_bundle
from inference_worker.training.dataset import load_dataset
from inference_worker.training.job_folder import JobFolder
from inference_worker.training.oracle import ask_oracle
from inference_worker.training.publish import bundle_files, publish_bundle
from inference_worker.training.validity_job import judge_bundle
from protocol.validity import encode_validity
from protocol.wire_jobs import JobSpec


def run_job(folder: JobFolder, blobs: Blobs, base_dir: Path, device: str = "cpu") -> None:
    """Run the job of a folder and write its verdict there; WorkerErrors become states, others leave the
    process.
    """
    if folder.ended():
        return
    spec = folder.spec()
    job = JOBS[spec.kind]
    try:
        base = load_base(base_dir, device)
        if spec.base_fingerprint != base.fingerprint:
            raise BaseMismatch(spec.base_fingerprint, base.fingerprint)
        result = job(folder, spec, blobs, base)
    except JobCancelled as cancelled:
        folder.finish("cancelled", str(cancelled))
    except WorkerError as error:
        folder.finish("failed", f"{error.code}: {error}")
    else:
        folder.finish("done", "", result)
        stages.forget_index(folder)


def train(folder: JobFolder, spec: JobSpec, blobs: Blobs, base: Base) -> dict[str, object]:
    """Train, index, evaluate, judge the attribution and publish; returns the job's result."""
    began = time.monotonic()
    plan = stages.make_plan(spec, blobs, base)
    progress = stages.start_progress(folder, plan)
    trained = stages.train_adapter(folder, plan, base, progress)
    index = stages.index_of(folder, plan, base, trained, progress)
    evaluation = stages.evaluate_adapter(plan, base, trained.adapter, progress)
    validity = stages.judge_attribution(folder, plan, base, trained, index, progress)
    progress.report("publish", 0)
    index_cid = stages.publish_index(folder, index, validity.shrinkage.kappa_ppm, blobs)
    alarms = stages.alarms_of(plan, base, index)
    card = stages.card_of(plan, base, trained, evaluation, validity, alarms)
    bundle = bundle_files(trained.adapter, card, stages.bundle_facts(plan, base, index_cid, validity))
    return {
        "bundle_cid": publish_bundle(blobs, bundle),
        "index_cid": index_cid,
        "tokens_cid": blobs.put(stages.tokens_file(plan, base)),
        "recipe_digest": plan.recipe.digest(),
        "min_span_tokens": max(index.facts.thresholds.values(), default=1),
        "rows": len(plan.examples),
        "seconds": round(time.monotonic() - began),
        "evaluation": evaluation.to_json() if evaluation else None,
    }


def evaluate_bundle(folder: JobFolder, spec: JobSpec, blobs: Blobs, base: Base) -> dict[str, object]:
    """Held-out comparison of a published bundle with its base; returns the evaluation as the job's
    result.
    """
    held_out = parse_held_out(blobs.get(str(spec.held_out_cid)))
    dataset = load_dataset(blobs, spec.manifest_cid)
    weights = read_bundle(blobs, str(spec.adapter_cid), base)
    return stages.compare_with_base(folder, base, weights, held_out, dataset).to_json()


def judge_again(folder: JobFolder, spec: JobSpec, blobs: Blobs, base: Base) -> dict[str, object]:
    """A validity report of a published bundle, on more retrainings than it came with."""
    began = time.monotonic()
    report = judge_bundle(folder, spec, blobs, base)
    return {
        "validity_cid": blobs.put(encode_validity(report)),
        "retrainings": len(report.retrainings),
        "seconds": round(time.monotonic() - began),
    }


JOBS = {"training": train, "evaluation": evaluate_bundle, "validity": judge_again, "oracle": ask_oracle}
