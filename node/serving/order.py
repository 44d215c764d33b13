"""What a client asked of a model, apart from who pays for it: the part that a worker gets to see."""

from __future__ import annotations

import json
from dataclasses import dataclass

from protocol.context import ContextRow, context_rows_json
from protocol.sampling import Sampling


@dataclass(frozen=True)
class Order:
    """Exactly one of `messages` (role, content) and `prompt` is set; `context` are rows of the Datanet to put
    before what is asked.
    """

    messages: tuple[tuple[str, str], ...] | None
    prompt: str | None
    max_tokens: int
    sampling: Sampling
    context: tuple[ContextRow, ...] = ()

    @property
    def question(self) -> str:
        """What is asked: the prompt, or the user's last message; the last message where no user speaks."""
        if self.messages is None:
            return self.prompt or ""
        asked = [content for role, content in self.messages if role == "user"]
        return asked[-1] if asked else self.messages[-1][1]

    def to_json(self) -> str:
        fields = {
            "messages": self.messages,
            "prompt": self.prompt,
            "max_tokens": self.max_tokens,
            "sampling": self.sampling.to_json(),
            "context": context_rows_json(self.context),
        }
        return json.dumps(fields, separators=(",", ":"), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Order:
        fields = json.loads(text)
        messages = fields["messages"]
        return cls(
            messages=None if messages is None else tuple((role, content) for role, content in messages),
            prompt=fields["prompt"],
            max_tokens=fields["max_tokens"],
            sampling=Sampling.from_json(fields["sampling"]),
            context=tuple(ContextRow(**row) for row in fields.get("context", ())),
        )
