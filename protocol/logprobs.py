"""How likely the model held a token to be: the raw distribution's natural logarithms, with the token's
bytes.
"""

from dataclasses import dataclass
from typing import Self

from protocol.fields import Fields
from protocol.hashing import from_hex, to_hex
from protocol.sampling import MAX_LOGPROBS
from protocol.types import MAX_UINT32

DECIMALS = 6
LEAST_LOGPROB = -1e30
MAX_TOKEN_BYTES = 1024


@dataclass(frozen=True, slots=True)
class ScoredToken:
    """A token, the logarithm of its probability (at most 0, six decimals) and its bytes, which may be part of
    a character.
    """

    id: int
    logprob: float
    data: bytes

    def to_json(self) -> dict[str, object]:
        """Plain values."""
        return {"id": self.id, "logprob": self.logprob, "bytes": to_hex(self.data)}

    @classmethod
    def read(cls, fields: Fields) -> Self:
        """The record these fields spell."""
        token = fields.integer("id", 0, MAX_UINT32)
        logprob = fields.number("logprob", LEAST_LOGPROB, 0.0)
        text = fields.text("bytes", 2 + 2 * MAX_TOKEN_BYTES, r"0x(?:[0-9a-f]{2})*")
        fields.done()
        return cls(token, logprob, from_hex(text, (len(text) - 2) // 2))


@dataclass(frozen=True, slots=True)
class TokenScores:
    """The chosen token and the `top` most likely ones, the likeliest first, ties by the lower id."""

    chosen: ScoredToken
    top: tuple[ScoredToken, ...]

    def to_json(self) -> dict[str, object]:
        """Plain values."""
        return {"chosen": self.chosen.to_json(), "top": [one.to_json() for one in self.top]}

    @classmethod
    def read(cls, fields: Fields) -> Self:
        """The record these fields spell."""
        scores = cls(
            ScoredToken.read(fields.child("chosen")),
            tuple(ScoredToken.read(one) for one in fields.objects("top", MAX_LOGPROBS)),
        )
        fields.done()
        return scores
