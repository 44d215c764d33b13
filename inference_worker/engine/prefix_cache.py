"""Keys and values of prompt pieces, kept for prompts that begin alike.

Torch-free. A piece's name chains the names before it: it stands for the whole beginning of a prompt, for the
adapter's bytes from where they apply, and for the tenant. Base and profile are the process's own, and nothing
outlives it. Only what a whole piece of a prefill computed is kept, for a decode step gives other bits.
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from inference_worker.engine.pages import PagePool, pages_for
from inference_worker.metrics import Metrics
from protocol.canonical import canonical_json

Piece = TypeVar("Piece")


@dataclass(frozen=True)
class PromptPieces:
    """A prompt's whole pieces: where each ends, and its name."""

    cuts: tuple[int, ...]
    names: tuple[bytes, ...]


def name_pieces(
    adapter: str | None, tenant: str, prompt: Sequence[int], cuts: Sequence[int], adapted_from: int = 0
) -> PromptPieces:
    """Names of the pieces of a prompt that end at `cuts`; other adapter, tenant or beginning, other name.

    `adapted_from` is the first position that the adapter applies to: pieces that end there or earlier are
    named as the base's, and so shared with it and with every adapter that begins later.
    """
    name, names, start = hashlib.sha256(canonical_json({"tenant": tenant})).digest(), [], 0
    for cut in cuts:
        if adapter is not None and start <= adapted_from < cut:
            owner = canonical_json({"adapter": adapter, "from": adapted_from})
            name = hashlib.sha256(name + owner).digest()
        # Eight bytes a token and a known number of tokens: no two beginnings are written alike.
        name = hashlib.sha256(name + array("q", prompt[start:cut]).tobytes()).digest()
        names.append(name)
        start = cut
    return PromptPieces(tuple(cuts), tuple(names))


class PrefixCache(Generic[Piece]):
    """Kept pieces under the account of a page pool, which decides what is given up."""

    def __init__(self, total_pages: int, metrics: Metrics) -> None:
        self.pool = PagePool(total_pages, self._drop)
        self._pieces: dict[bytes, Piece] = {}
        self._metrics = metrics

    def longest(self, pieces: PromptPieces, below: int) -> list[Piece]:
        """The kept pieces that a prompt begins with, in order, all ending below the position `below`."""
        found = 0
        for cut, name in zip(pieces.cuts, pieces.names, strict=True):
            if cut >= below or name not in self._pieces:
                break
            found += 1
        self.pool.touch(pieces.names[:found])
        self._metrics.count("prefix_lookups_total", outcome="hit" if found else "miss")
        self._metrics.count("prefix_positions_total", pieces.cuts[found - 1] if found else 0)
        return [self._pieces[name] for name in pieces.names[:found]]

    def wants(self, pieces: PromptPieces, stop: int) -> bool:
        """Whether the piece that ends at `stop` is a whole one that is not kept yet."""
        return stop in pieces.cuts and pieces.names[pieces.cuts.index(stop)] not in self._pieces

    def keep(self, pieces: PromptPieces, start: int, stop: int, piece: Piece) -> None:
        """Keep the piece start..stop of a prompt if there is room beside the running sequences."""
        place = pieces.cuts.index(stop)
        if self.pool.keep(pieces.names[place], pages_for(stop - start)):
            self._pieces[pieces.names[place]] = piece
            self.pool.touch(pieces.names[: place + 1])

    def _drop(self, name: bytes) -> None:
        del self._pieces[name]
        self._metrics.count("prefix_evictions_total")
