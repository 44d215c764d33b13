"""The way from any point of a JSON answer to a complete value, so that a token limit never cuts one.

A search, not a proof: it tries few tokens in fixed orders, and whoever uses it keeps an earlier way until a
new one is found. A matcher is left as it was found.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

from llguidance import LLMatcher, LLTokenizer

# A try costs a few microseconds. They are counted and not timed, so that every machine finds the same way.
COMPILE_TRIES = 5_000
STEP_TRIES = 1_000
# Outside strings: what ends a value before what begins one. The orders differ in digits, since a way of
# zeros alone (0.000…) may have no end.
_OUTSIDE = tuple(f'}}],"{digits}-tfn[{{:.eE+' for digits in ("0123456789", "1023456789", "9876543210"))
# Inside strings: the end first, then whatever a length, a pattern or a format may demand.
_INSIDE = (
    '"'
    + "0123456789aAbcdefghijklmnopqrstuvwxyzBCDEFGHIJKLMNOPQRSTUVWXYZ"
    + "-_./:@+,;()[]{}<>=*#%&!?$^~|'` \\"
)
# Inside a character of several bytes: one of these follows any of its earlier bytes.
_CONTINUATIONS = (0x80, 0x90, 0xA0)


class Place(Enum):
    """Where JSON text ends: between values, within a string, or right after a backslash."""

    OUTSIDE = "outside"
    STRING = "string"
    ESCAPE = "escape"


class Closer:
    """Finds closings with the tokens of one tokenizer."""

    def __init__(self, tokens: LLTokenizer) -> None:
        self._tokens = tokens
        single = {tokens.decode_bytes([i]): i for i in reversed(range(tokens.vocab_size))}
        inside = [*(char.encode() for char in _INSIDE), *(bytes([byte]) for byte in _CONTINUATIONS)]
        self._inside = [single[char] for char in inside if char in single]
        self._outside = [[single[c.encode()] for c in order if c.encode() in single] for order in _OUTSIDE]

    def bytes_of(self, token: int) -> bytes:
        """What a token spells; it may be part of a character."""
        return self._tokens.decode_bytes([token])

    def closing(self, matcher: LLMatcher, place: Place, tries: int) -> list[int] | None:
        """Tokens that complete the value from here; None where at most `tries` tries in each order find
        none.
        """
        ways = (self._follow(matcher.deep_copy(), place, order, tries) for order in self._outside)
        return next((way for way in ways if way is not None), None)

    def _follow(
        self, matcher: LLMatcher, place: Place, outside: Sequence[int], tries: int
    ) -> list[int] | None:
        way: list[int] = []
        while not matcher.is_accepting():
            candidates = outside if place is Place.OUTSIDE else self._inside
            step = matcher.compute_ff_tokens()
            if not step:
                tried = next((n for n, t in enumerate(candidates) if matcher.validate_tokens([t])), None)
                if tried is None:
                    return None
                step, tries = [candidates[tried]], tries - tried
            way, tries = way + step, tries - 1
            if tries < 0 or not matcher.consume_tokens(step):
                return None
            place = place_after(place, self._tokens.decode_bytes(step))
        return way


def place_after(place: Place, data: bytes) -> Place:
    """Where JSON text is after more of it."""
    for byte in data:
        if place is Place.ESCAPE:
            place = Place.STRING
        elif byte == ord('"'):
            place = Place.STRING if place is Place.OUTSIDE else Place.OUTSIDE
        elif byte == ord("\\") and place is Place.STRING:
            place = Place.ESCAPE
    return place
