"""What node and worker say to each other: frozen records with one strict JSON form each, version 1.

`from_json` takes a parsed object and refuses unknown fields, wrong types, values out of range and lists over
their caps, naming the field (WireError). `to_json` gives plain values. This module only gathers the names.
"""

from protocol.logprobs import ScoredToken, TokenScores
from protocol.sampling import Sampling
from protocol.wire_attribute import AttributeRequest, AttributeResult
from protocol.wire_fields import VERSION
from protocol.wire_generate import (
    ErrorEvent,
    GenerateRequest,
    GenerateResult,
    TokenEvent,
    TokenizeRequest,
    TokenizeResult,
)
from protocol.wire_health import AdapterInfo, BaseInfo, WorkerHealth
from protocol.wire_jobs import JobSpec, JobState, JobStatus
from protocol.wire_rows import RowsRequest, RowsResult

__all__ = [
    "VERSION",
    "AdapterInfo",
    "AttributeRequest",
    "AttributeResult",
    "BaseInfo",
    "ErrorEvent",
    "GenerateRequest",
    "GenerateResult",
    "JobSpec",
    "JobState",
    "JobStatus",
    "RowsRequest",
    "RowsResult",
    "Sampling",
    "ScoredToken",
    "TokenEvent",
    "TokenScores",
    "TokenizeRequest",
    "TokenizeResult",
    "WorkerHealth",
]
