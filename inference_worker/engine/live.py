"""A request that the step loop has taken, from its prompt to its last token."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch

from inference_worker.engine.chooser import Chooser
from inference_worker.engine.job import GenerationJob
from inference_worker.engine.prefix_cache import PromptPieces
from inference_worker.engine.runner import SequenceCache
from inference_worker.engine.sequence import Finished, FinishReason, TokenProduced
from inference_worker.engine.text_stream import TextStream


@dataclass
class Live:
    """Its memory, its output and its stream. `pieces` are the prompt's, by name."""

    job: GenerationJob
    stream: TextStream
    pieces: PromptPieces
    chooser: Chooser
    cache: SequenceCache | None = None
    output: list[int] = field(default_factory=list)

    @property
    def place(self) -> int:
        """Index of the output token that the next logits choose."""
        assert self.cache is not None
        return self.cache.length - len(self.job.prompt_ids)

    def release(self) -> None:
        """Give back its keys and values."""
        if self.cache is not None:
            self.cache.release()
            self.cache = None

    def take(
        self, logits: torch.Tensor, likeliest: int | None, end_tokens: frozenset[int]
    ) -> Finished | None:
        """Choose the next token of the answer and tell it; the end of the request if this was its last.

        `logits`, (vocabulary,), are finite, `likeliest` is their largest if that is known. Raises
        ConstraintBroken.
        """
        index = self.place
        choice = self.chooser.choose(logits, index, likeliest)
        token = choice.token
        self.output.append(token)
        reason = self._reason_to_end(token, end_tokens)
        ended = token in end_tokens
        text = self.stream.flush() if ended else self.stream.push(token, reason is not None)
        if self.stream.stopped:
            reason = "stop"
        self.job.emit(TokenProduced(index, token, text, None if ended else choice.scores))
        return None if reason is None else Finished(tuple(self.output), self.stream.text, reason)

    def _reason_to_end(self, token: int, end_tokens: frozenset[int]) -> FinishReason | None:
        if token in end_tokens:
            return "stop"
        return "length" if len(self.output) >= self.job.params.max_tokens else None
