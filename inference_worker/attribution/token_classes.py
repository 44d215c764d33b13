"""Script classes of tokens, for span thresholds that treat languages alike.

A tokenizer spends several tokens on one word of one script and one token on another, so one threshold for
all would overpay some. The class of a span is that of its first token that bears a letter or a digit.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import Any

NEUTRAL = ""
DIGIT = "digit"
BYTES = "bytes"


def class_of_text(text: str) -> str:
    """Class of a token's text: the script of its first letter, else `digit`, `bytes` for part of a
    character, else neutral.
    """
    for character in text:
        if character == "\ufffd":
            return BYTES
        if character.isalpha():
            return unicodedata.name(character, "OTHER").split(" ", 1)[0].lower()
    return DIGIT if any(character.isdigit() for character in text) else NEUTRAL


class TokenClasses:
    """The class table of one tokenizer, filled as tokens are met; a token's class never depends on its
    neighbours.
    """

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._known: dict[int, str] = {}

    def of_token(self, token: int) -> str:
        """Class of one token id."""
        if token not in self._known:
            self._known[token] = class_of_text(self._tokenizer.decode([token]))
        return self._known[token]

    def of_span(self, tokens: Sequence[int]) -> str:
        """Class of the first word-bearing token; neutral where there is none."""
        return next((c for c in map(self.of_token, tokens) if c != NEUTRAL), NEUTRAL)
