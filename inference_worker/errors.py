"""The error tree of the worker. Each error carries the values that disagree and a stable `code` for the
wire.
"""

from __future__ import annotations

from typing import Any


class WorkerError(Exception):
    """Base of everything the worker raises on purpose; `code` is what the node sees."""

    code = "worker_error"

    def __reduce__(self) -> tuple[Any, ...]:
        # Between processes, too: most are made from several values, and not again from their message.
        return _made_again, (type(self), self.args, self.__dict__)


def _made_again(kind: type[WorkerError], args: tuple[Any, ...], values: dict[str, Any]) -> WorkerError:
    error = kind.__new__(kind, *args)
    error.__dict__.update(values)
    return error


class BaseModelInvalid(WorkerError):
    """The base folder or its source is not what it must be."""

    code = "base_model_invalid"

    def __init__(self, what: str, expected: object, actual: object) -> None:
        super().__init__(f"{what}: expected {expected}, got {actual}")
        self.what, self.expected, self.actual = what, expected, actual


class BaseMismatch(WorkerError):
    """A job or bundle names another base than the one loaded."""

    code = "base_mismatch"

    def __init__(self, expected: str, actual: str) -> None:
        super().__init__(f"job wants base {expected}, loaded is {actual}")
        self.expected, self.actual = expected, actual


class NodeUnreachable(WorkerError):
    """The node's private socket did not answer; worth a retry."""

    code = "node_unreachable"

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path, self.reason = path, reason


class BackendUnavailable(WorkerError):
    """The process that computes for this worker is starting, stopped or gone; worth a retry."""

    code = "backend_unavailable"

    def __init__(self, reason: str) -> None:
        super().__init__(f"the engine's own process does not answer: {reason}")
        self.reason = reason


class BlobMissing(WorkerError):
    """The node does not hold the content asked for."""

    code = "blob_missing"

    def __init__(self, cid: str) -> None:
        super().__init__(f"no content for {cid}")
        self.cid = cid


class BlobCorrupt(WorkerError):
    """Bytes do not hash to the content id they came under."""

    code = "blob_corrupt"

    def __init__(self, expected: str, actual: str) -> None:
        super().__init__(f"asked for {expected}, bytes are {actual}")
        self.expected, self.actual = expected, actual


class RowMismatch(WorkerError):
    """A row's digest is not the one its manifest commits to."""

    code = "row_mismatch"

    def __init__(self, row: int, expected: str, actual: str) -> None:
        super().__init__(f"row {row}: manifest has {expected}, content is {actual}")
        self.row, self.expected, self.actual = row, expected, actual


class RecipeInvalid(WorkerError):
    """A training recipe asks for something outside its bounds."""

    code = "recipe_invalid"

    def __init__(self, field: str, value: object, allowed: str) -> None:
        super().__init__(f"{field}={value!r}, allowed: {allowed}")
        self.field, self.value, self.allowed = field, value, allowed


class JobUnknown(WorkerError):
    """No job of this id lives in the data folder."""

    code = "job_unknown"

    def __init__(self, job_id: str) -> None:
        super().__init__(f"no job {job_id}")
        self.job_id = job_id


class JobConflict(WorkerError):
    """The same job id came with another specification, or with an older fencing token."""

    code = "job_conflict"

    def __init__(self, job_id: str, reason: str) -> None:
        super().__init__(f"job {job_id}: {reason}")
        self.job_id, self.reason = job_id, reason


class JobCancelled(WorkerError):
    """The job was cancelled while it ran."""

    code = "job_cancelled"

    def __init__(self, job_id: str) -> None:
        super().__init__(f"job {job_id} was cancelled")
        self.job_id = job_id


class CheckpointInvalid(WorkerError):
    """A training checkpoint on disk does not belong to this job."""

    code = "checkpoint_invalid"

    def __init__(self, what: str, expected: object, actual: object) -> None:
        super().__init__(f"{what}: expected {expected}, got {actual}")
        self.what, self.expected, self.actual = what, expected, actual


class TrainingDiverged(WorkerError):
    """The loss is no longer finite."""

    code = "training_diverged"

    def __init__(self, step: int, loss: float) -> None:
        super().__init__(f"loss {loss} at step {step}")
        self.step, self.loss = step, loss


class IndexCorrupt(WorkerError):
    """An attribution index blob does not parse or does not fit its adapter."""

    code = "index_corrupt"

    def __init__(self, what: str, expected: object, actual: object) -> None:
        super().__init__(f"{what}: expected {expected}, got {actual}")
        self.what, self.expected, self.actual = what, expected, actual


class SpanIndexTooLarge(WorkerError):
    """Rows ask for a span index beyond a limit; nothing was allocated for it."""

    code = "span_index_too_large"

    def __init__(self, what: str, allowed: int, asked: int) -> None:
        super().__init__(f"{what}: at most {allowed}, asked for {asked}")
        self.what, self.allowed, self.asked = what, allowed, asked


class IndexTooLarge(WorkerError):
    """An attribution index would not fit on the disk; nothing was written."""

    code = "index_too_large"

    def __init__(self, needed: int, free: int) -> None:
        super().__init__(
            f"the index takes {needed:,} bytes, {free:,} are free; make room or index fewer rows"
        )
        self.needed, self.free = needed, free


class AdapterInvalid(WorkerError):
    """An adapter's files were refused; `reason` names the first rule it broke."""

    code = "adapter_invalid"

    def __init__(self, adapter: str, reason: str) -> None:
        super().__init__(f"adapter {adapter}: {reason}")
        self.adapter, self.reason = adapter, reason


class RequestInvalid(WorkerError):
    """A request is outside what the worker serves."""

    code = "request_invalid"

    def __init__(self, field: str, value: object, allowed: str) -> None:
        super().__init__(f"{field}={value!r}, allowed: {allowed}")
        self.field, self.value, self.allowed = field, value, allowed


class RowsUnreadable(WorkerError):
    """The node did not hand over rows that training needs (no grant, or an empty version)."""

    code = "rows_unreadable"

    def __init__(self, wanted: int, missing: list[int]) -> None:
        super().__init__(f"{len(missing)} of {wanted} rows cannot be read: {missing[:10]}")
        self.wanted, self.missing = wanted, missing
