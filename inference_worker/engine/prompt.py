"""Token ids of a request's prompt; user text can never spell a control token.

Text that contains the literal of a token that the chat template writes is refused, for it would become a turn
boundary that the user did not have the right to set. The literals of all other special tokens are plain text:
people do write `<filename>`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from inference_worker.base.chat import render_chat
from inference_worker.base.context import place_in_chat, place_in_text
from inference_worker.base.text_tokens import encode_text, turn_tokens
from inference_worker.errors import RequestInvalid
from protocol.context import Context, ContextRow


@dataclass(frozen=True)
class PromptEncoder:
    """Encodes by the base's tokenizer; `vocab` bounds the ids that a caller may send itself."""

    tokenizer: Any
    vocab: int

    def encode(
        self,
        messages: Sequence[tuple[str, str]] | None,
        prompt: str | None,
        prompt_ids: Sequence[int] | None = None,
    ) -> tuple[int, ...]:
        """Ids of exactly one of the three; raises RequestInvalid."""
        if prompt_ids is not None:
            ids = tuple(prompt_ids)
            if any(i >= self.vocab for i in ids):
                raise RequestInvalid("prompt_ids", max(ids), f"below {self.vocab}")
        elif messages is not None:
            for _, content in messages:
                self._refuse_control(content)
            ids = tuple(render_chat(self.tokenizer, [{"role": r, "content": c} for r, c in messages]))
        else:
            self._refuse_control(prompt or "")
            ids = tuple(encode_text(self.tokenizer, prompt or ""))
        if not ids:
            raise RequestInvalid("prompt", "", "at least one token")
        return ids

    def place(
        self,
        messages: Sequence[tuple[str, str]] | None,
        prompt: str | None,
        rows: Sequence[ContextRow],
        prompt_ids: Sequence[int] | None = None,
    ) -> tuple[tuple[int, ...], Context | None]:
        """`encode`, with the rows put before what is asked and their places; raises RequestInvalid."""
        if not rows or prompt_ids is not None:
            return self.encode(messages, prompt, prompt_ids), None
        for content in [text for _, text in messages or ()] or [prompt or ""]:
            self._refuse_control(content)
        if messages is not None:
            return place_in_chat(self.tokenizer, messages, rows)
        return place_in_text(self.tokenizer, prompt or "", rows)

    def decoder(self) -> Callable[[Sequence[int]], str]:
        """The reverse, control tokens left out."""

        def decode(ids: Sequence[int]) -> str:
            text: str = self.tokenizer.decode(
                list(ids), skip_special_tokens=True, clean_up_tokenization_spaces=False
            )
            return text

        return decode

    def _refuse_control(self, text: str) -> None:
        for literal in sorted(turn_tokens(self.tokenizer)):
            if literal in text:
                raise RequestInvalid("prompt", literal, "text without control tokens")
