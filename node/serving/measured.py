"""Which models were measured here, on what, and with which gain over their base.

Only this node's own trainings count: their result was checked against the order when it came. What a bundle
says of itself in its card is a claim of whoever made it, and routes nothing.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from node.blobs.store import BlobStore
from node.errors import IntegrityError, NotFound
from node.log import get_logger
from node.models.contracts import ModelStatus
from node.models.registry import RegisteredModel
from node.store.models import StoredJob, TrainingTable
from node.training.held_out import decode_prompts
from protocol.cid import Cid, parse_cid
from protocol.errors import ProtocolError
from protocol.fields import Fields
from protocol.types import MAX_UINT32
from protocol.wire import JobSpec

log = get_logger("measured")

PPM = 1_000_000
MAX_HELD_OUT_BYTES = 64 << 20


@dataclass(frozen=True)
class Gain:
    """Mean paired gain in reciprocal rank over the base with its 95 % interval, in ppm."""

    questions: int
    ppm: int
    low_ppm: int
    high_ppm: int

    def __str__(self) -> str:
        low, high = self.low_ppm / PPM, self.high_ppm / PPM
        return f"{self.ppm / PPM:+.3f} MRR ({low:+.3f} to {high:+.3f}) on {self.questions} questions"


@dataclass(frozen=True)
class Measured:
    """One live model, what its evaluation asked (prompts), and what came of it."""

    name: str
    model_id: int
    base_id: int
    held_out: Cid
    gain: Gain
    prompts: tuple[str, ...]


class Measurements:
    """Reads evaluations of this node's trainings; a held-out file never changes, so each is read once."""

    def __init__(self, trainings: TrainingTable, blobs: BlobStore) -> None:
        self._trainings = trainings
        self._blobs = blobs
        self._prompts: dict[Cid, tuple[str, ...]] = {}

    def of(self, models: Sequence[RegisteredModel]) -> tuple[Measured, ...]:
        """The measured ones among the live models, by id; one whose evaluation is unreadable is left out."""
        jobs = {cid: job for job in self._trainings.all() if (cid := _bundle_of(job)) is not None}
        found = []
        for model in models:
            job = jobs.get(model.terms.bundle.text) if model.terms.bundle is not None else None
            if job is None or model.status is not ModelStatus.LIVE:
                continue
            try:
                measured = self._read(model, job)
            except (ProtocolError, NotFound, IntegrityError) as error:
                log.warning("evaluation_not_readable", model=model.id, job_id=job.id, reason=str(error))
                continue
            if measured is not None:
                found.append(measured)
        return tuple(sorted(found, key=lambda one: one.model_id))

    def _read(self, model: RegisteredModel, job: StoredJob) -> Measured | None:
        spec = JobSpec.from_json(json.loads(job.spec_json))
        evaluation = json.loads(job.status_json)["result"].get("evaluation")
        if spec.held_out_cid is None or evaluation is None:
            return None
        held_out = parse_cid(spec.held_out_cid)
        if held_out not in self._prompts:
            self._prompts[held_out] = decode_prompts(self._blobs.get(held_out, MAX_HELD_OUT_BYTES))
        name = f"{model.name}@{model.version}"
        gain = _gain(Fields(evaluation, "evaluation"))
        return Measured(name, model.id, model.terms.base_id, held_out, gain, self._prompts[held_out])


def _bundle_of(job: StoredJob) -> str | None:
    result = json.loads(job.status_json).get("result") or {}
    return result.get("bundle_cid") if job.state == "done" else None


def _gain(fields: Fields) -> Gain:
    ppm = [fields.integer(name, -PPM, PPM) for name in ("gain_ppm", "gain_low_ppm", "gain_high_ppm")]
    return Gain(fields.integer("questions", 1, MAX_UINT32), *ppm)
