"""What a client asked of a model, apart from who pays for it: the part that a worker gets to see."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Order:
    """Exactly one of `messages` (role, content) and `prompt` is set."""

    messages: tuple[tuple[str, str], ...] | None
    prompt: str | None
    max_tokens: int
    temperature: float
    top_p: float
    seed: int
    stop: tuple[str, ...]

    def to_json(self) -> str:
        return json.dumps(asdict(self), separators=(",", ":"), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Order:
        fields = json.loads(text)
        messages = fields["messages"]
        return cls(
            **{
                **fields,
                "messages": None
                if messages is None
                else tuple((role, content) for role, content in messages),
                "stop": tuple(fields["stop"]),
            }
        )
