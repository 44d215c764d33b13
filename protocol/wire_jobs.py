"""Training and evaluation jobs, as node and worker speak of them."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Self, cast

from protocol.canonical import MAX_SAFE_INTEGER
from protocol.fields import Fields
from protocol.types import Address
from protocol.wire_fields import (
    DIGEST,
    MAX_FENCE,
    NAME,
    VERSION,
    opened,
    optional_cid,
    read_cid,
    token_ids,
)

JobKind = Literal["training", "evaluation", "validity", "oracle"]
JobState = Literal["queued", "running", "done", "failed", "cancelled"]
KINDS = ("training", "evaluation", "validity", "oracle")
STATES = ("queued", "running", "done", "failed", "cancelled")

MAX_STEPS = 2**53 - 1
MAX_LOSS = 1e30
MAX_ETA_SECONDS = 1e9
MAX_KEYS = 64
MAX_ITEMS = 4096
MAX_CHARS = 1 << 16
MAX_DEPTH = 4


@dataclass(frozen=True, slots=True)
class OracleQuestion:
    """What an owner's rows did to one answer: its prompt's and its own token ids."""

    owner: Address
    prompt_ids: tuple[int, ...]
    output_ids: tuple[int, ...]

    def to_json(self) -> dict[str, object]:
        """Plain values."""
        return {
            "owner": self.owner,
            "prompt_ids": list(self.prompt_ids),
            "output_ids": list(self.output_ids),
        }

    @classmethod
    def read(cls, fields: Fields) -> Self:
        """The record these fields spell; the answer has one token at least."""
        question = cls(
            fields.address("owner"), token_ids(fields, "prompt_ids"), token_ids(fields, "output_ids")
        )
        if not question.prompt_ids or not question.output_ids:
            raise fields.wrong("output_ids", "an answer and its question have tokens")
        fields.done()
        return question


@dataclass(frozen=True, slots=True)
class JobSpec:
    """One assignment to train, to evaluate, or to measure how far an adapter's attribution can be believed.

    `recipe` holds whole numbers, strings and lists of strings (rates as decimal strings, since a digest must
    not depend on how a float prints); the worker checks its names. The others need an adapter and
    held-out rows, but for an oracle, which needs its question; a validity job goes on from the report of
    `report_cid`, where one is given.
    """

    job_id: str
    fence: int
    kind: JobKind
    manifest_cid: str
    base_fingerprint: str
    recipe: Mapping[str, object]
    held_out_cid: str | None = None
    adapter_cid: str | None = None
    report_cid: str | None = None
    oracle: OracleQuestion | None = None

    def to_json(self) -> dict[str, object]:
        """Plain values."""
        return {
            "v": VERSION,
            "job_id": self.job_id,
            "fence": self.fence,
            "kind": self.kind,
            "manifest_cid": self.manifest_cid,
            "base_fingerprint": self.base_fingerprint,
            "recipe": {
                key: list(item) if isinstance(item, tuple) else item for key, item in self.recipe.items()
            },
            "held_out_cid": self.held_out_cid,
            "adapter_cid": self.adapter_cid,
            "report_cid": self.report_cid,
            "oracle": None if self.oracle is None else self.oracle.to_json(),
        }

    @classmethod
    def from_json(cls, value: object) -> Self:
        """The record this object spells."""
        fields = opened(value, "job")
        spec = cls(
            job_id=fields.text("job_id", 128, NAME),
            fence=fields.integer("fence", 0, MAX_FENCE),
            kind=cast(JobKind, fields.choice("kind", KINDS)),
            manifest_cid=read_cid(fields, "manifest_cid"),
            base_fingerprint=fields.text("base_fingerprint", 66, DIGEST),
            recipe=_plain_object(fields, "recipe", depth=1, floats=False),
            held_out_cid=optional_cid(fields, "held_out_cid"),
            adapter_cid=optional_cid(fields, "adapter_cid"),
            report_cid=optional_cid(fields, "report_cid"),
            oracle=None if fields.absent("oracle") else OracleQuestion.read(fields.child("oracle")),
        )
        judged = spec.kind in ("evaluation", "validity")
        if judged and (spec.held_out_cid is None or spec.adapter_cid is None):
            raise fields.wrong("kind", f"{spec.kind} needs adapter_cid and held_out_cid")
        if (spec.kind == "oracle") != (spec.oracle is not None):
            raise fields.wrong("oracle", f"does not belong to a job of kind {spec.kind}, or is missing")
        fields.done()
        return spec


@dataclass(frozen=True, slots=True)
class JobStatus:
    """Where a job stands. `result` comes with state "done"; `loss` and `eta_seconds` once they are known."""

    job_id: str
    state: JobState
    phase: str
    step: int
    steps: int
    loss: float | None
    eta_seconds: float | None
    message: str
    result: Mapping[str, object] | None

    def to_json(self) -> dict[str, object]:
        """Plain values."""
        return {
            "v": VERSION,
            "job_id": self.job_id,
            "state": self.state,
            "phase": self.phase,
            "step": self.step,
            "steps": self.steps,
            "loss": self.loss,
            "eta_seconds": self.eta_seconds,
            "message": self.message,
            "result": None if self.result is None else dict(self.result),
        }

    @classmethod
    def from_json(cls, value: object) -> Self:
        """The record this object spells."""
        fields = opened(value, "job")
        status = cls(
            job_id=fields.text("job_id", 128, NAME),
            state=cast(JobState, fields.choice("state", STATES)),
            phase=fields.text("phase", 64),
            step=fields.integer("step", 0, MAX_STEPS),
            steps=fields.integer("steps", 0, MAX_STEPS),
            loss=None if fields.absent("loss") else fields.number("loss", -MAX_LOSS, MAX_LOSS),
            eta_seconds=None
            if fields.absent("eta_seconds")
            else fields.number("eta_seconds", 0, MAX_ETA_SECONDS),
            message=fields.text("message", MAX_CHARS),
            result=None
            if fields.absent("result")
            else _plain_object(fields, "result", MAX_DEPTH, floats=True),
        )
        if (status.state == "done") != (status.result is not None):
            raise fields.wrong("result", f"does not belong to a job that is {status.state}")
        fields.done()
        return status


def _plain_object(fields: Fields, name: str, depth: int, floats: bool) -> Mapping[str, object]:
    value = fields.value(name)
    if not isinstance(value, dict):
        raise fields.wrong(name, f"must be an object, not {type(value).__name__}")
    _check_plain(fields, name, value, depth, floats)
    return value


def _check_plain(fields: Fields, path: str, value: object, depth: int, floats: bool) -> None:
    if isinstance(value, dict | list):
        limit = MAX_KEYS if isinstance(value, dict) else MAX_ITEMS
        if depth < 0 or len(value) > limit:
            raise fields.wrong(path, f"nested too deep or longer than {limit}")
        members = value.items() if isinstance(value, dict) else enumerate(value)
        for key, item in members:
            _check_plain(fields, f"{path}.{key}"[:200], item, depth - 1, floats)
    elif not _is_scalar(value, floats):
        raise fields.wrong(path, f"{str(value)[:80]!r} is not a plain value in range")


def _is_scalar(value: object, floats: bool) -> bool:
    if isinstance(value, str):
        return len(value) <= MAX_CHARS
    if isinstance(value, float):
        return floats and math.isfinite(value)
    return value is None or (isinstance(value, int) and abs(value) <= MAX_SAFE_INTEGER)
