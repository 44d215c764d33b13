"""What the engine knows of one request: its prompt, how to sample it, and the events it sends back.

Torch-free data. Token counts and positions are in LLM tokens.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from inference_worker.engine.grammar import Grammar

FinishReason = Literal["stop", "length"]


@dataclass(frozen=True)
class SamplingParams:
    """How to choose tokens, as `protocol.sampling` defines it. temperature 0 is greedy; `seed` fixes the
    draws whatever else is in the batch; `grammar` is what the answer must fit.
    """

    max_tokens: int
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 0
    stop: tuple[str, ...] = ()
    top_k: int = 0
    min_p: float = 0.0
    frequency_penalty: float = 0.0
    presence_penalty: float = 0.0
    repetition_penalty: float = 1.0
    logit_bias: tuple[tuple[int, float], ...] = ()
    grammar: Grammar | None = None
    logprobs: int | None = None

    @property
    def reshapes(self) -> bool:
        """Whether logits are changed by anything but the grammar."""
        penalised = self.frequency_penalty or self.presence_penalty or self.repetition_penalty != 1.0
        return bool(penalised or self.logit_bias)


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
