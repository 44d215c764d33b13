"""An answer while it is being generated: written once, followed by any number of readers from the first
token on.

The generation belongs to the paid request, not to the connection that asked for it. A reader that leaves
stops nothing, and one that comes later, or comes back, misses nothing.
"""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass

from protocol.logprobs import TokenScores


@dataclass(frozen=True)
class Token:
    """One generated token; `text` may be empty while a character is incomplete.

    `scores` are there where logprobs were asked for, the end token excepted.
    """

    text: str
    token_id: int
    scores: TokenScores | None = None


@dataclass(frozen=True)
class Finished:
    """The end of an answer. `finish_reason` is "stop" or "length"; `price` is in wei."""

    finish_reason: str
    prompt_tokens: int
    output_tokens: int
    price: int


class LiveAnswer:
    """Tokens so far, then one `Finished` or one error. Use from a single event loop."""

    def __init__(self) -> None:
        self._tokens: list[Token] = []
        self._end: Finished | BaseException | None = None
        self._changed = asyncio.Event()

    def append(self, token: Token) -> None:
        self._tokens.append(token)
        self._notify()

    def finish(self, end: Finished | BaseException) -> None:
        """Close the answer; the first end counts."""
        if self._end is None:
            self._end = end
            self._notify()

    async def follow(self) -> AsyncGenerator[Token | Finished, None]:
        """Every token from the first, then the end; raises the error that ended the generation."""
        position = 0
        while True:
            changed = self._changed
            while position < len(self._tokens):
                yield self._tokens[position]
                position += 1
            if isinstance(self._end, BaseException):
                raise self._end
            if self._end is not None:
                yield self._end
                return
            await changed.wait()

    def _notify(self) -> None:
        # Each waiter holds the event of the state it has read; a new one serves the next change.
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()
