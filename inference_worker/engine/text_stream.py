"""Turns tokens into text as they come: never half a character, never the beginning of a stop string.

Pure; the tokenizer is passed in as a function. The texts handed out join to the text of all tokens decoded
at once, cut before the first stop string.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

Decode = Callable[[Sequence[int]], str]
_REPLACEMENT = "\ufffd"


@dataclass
class TextStream:
    """One request's text so far. `stopped` becomes true at a stop string; nothing is handed out after it."""

    decode: Decode
    stop: tuple[str, ...] = ()
    stopped: bool = False
    text: str = ""
    _tokens: list[int] = field(default_factory=list)
    _known_from: int = 0
    _open_from: int = 0
    _held: str = ""

    def push(self, token: int, last: bool = False) -> str:
        """Add a token; returns the text that is now certain. `last` flushes what was held back."""
        self._tokens.append(token)
        return self._hand_out(self._held + self._complete(last), last)

    def flush(self) -> str:
        """End without a further token; returns the rest."""
        return self._hand_out(self._held + self._complete(True), True)

    def _complete(self, last: bool) -> str:
        # Two decodes that share a prefix: a tokenizer may treat the first token of a text specially.
        known = self.decode(self._tokens[self._known_from : self._open_from])
        both = self.decode(self._tokens[self._known_from :])
        if not last and both.endswith(_REPLACEMENT):
            return ""
        self._known_from, self._open_from = self._open_from, len(self._tokens)
        return both[len(known) :]

    def _hand_out(self, pending: str, last: bool) -> str:
        if self.stopped:
            return ""
        found = [at for s in self.stop if (at := pending.find(s)) >= 0]
        if found:
            self.stopped = True
            ready, self._held = pending[: min(found)], ""
        else:
            keep = 0 if last else longest_partial(pending, self.stop)
            ready, self._held = pending[: len(pending) - keep], pending[len(pending) - keep :]
        self.text += ready
        return ready


def longest_partial(text: str, stops: Sequence[str]) -> int:
    """Length of the longest end of `text` that some stop string begins with, the whole string excepted."""
    longest = 0
    for stop in stops:
        for size in range(min(len(stop) - 1, len(text)), longest, -1):
            if text.endswith(stop[:size]):
                longest = size
                break
    return longest
