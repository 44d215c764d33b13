"""What the engine knows of one request: its prompt, how to sample it, and the events it sends back.

Torch-free data. Token counts and positions are in LLM tokens.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from protocol.sampling import Sampling

if TYPE_CHECKING:
    from inference_worker.engine.grammar import Grammar

FinishReason = Literal["stop", "length"]


@dataclass(frozen=True)
class SamplingParams:
    """How to choose the tokens of one answer: the request's own record, whose `seed` fixes the draws whatever
    else is in the batch, and what was made of it. `grammar` is the compiled schema that the answer must fit.
    """

    max_tokens: int
    sampling: Sampling
    grammar: Grammar | None = None


@dataclass(frozen=True)
class Scores:
    """The logprob of a chosen token and (id, logprob) of the likeliest, the likeliest first."""

    logprob: float
    top: tuple[tuple[int, float], ...]


@dataclass(frozen=True)
class TokenProduced:
    """One token; `text` is what became certain with it, so the texts of a request join to its full text."""

    index: int
    token: int
    text: str
    scores: Scores | None = None


@dataclass(frozen=True)
class Finished:
    """The end of a request that went well; `output_ids` includes the end-of-turn token if one was
    produced."""

    output_ids: tuple[int, ...]
    text: str
    finish_reason: FinishReason


@dataclass(frozen=True)
class Failed:
    """The end of a request that did not; `code` is stable."""

    code: str
    message: str


Event = TokenProduced | Finished | Failed
Emit = Callable[[Event], None]


@dataclass(frozen=True)
class Admission:
    """What the scheduler needs to place a sequence: `reserved` is the most positions it can ever fill,
    `adapter_bytes` what its adapter takes beside its row (0 for the base)."""

    sequence: int
    tenant: str
    prompt_tokens: int
    reserved: int
    adapter: str | None = None
    adapter_bytes: int = 0
