"""The spans of one dataset version, found over its shards.

Only leading matches are found: from each output place the longest, unless another one holds it whole, and of
its occurrences the one in the lowest row. Rule `span-1` never takes any other: a match inside a longer one
is covered when its turn comes, and so is a later occurrence of the same tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from inference_worker.attribution.suffix_shard import CODE_BYTES, Shard
from inference_worker.errors import IndexCorrupt
from protocol.spans import MIN_SPAN_TOKENS, Match


@dataclass(frozen=True)
class VersionShard:
    """A shard and the index in the manifest of each of its rows, ascending."""

    shard: Shard
    rows: Sequence[int]

    def __post_init__(self) -> None:
        if len(self.rows) != self.shard.rows:
            raise IndexCorrupt("rows of a shard", len(self.rows), self.shard.rows)
        if any(after <= before for before, after in zip(self.rows, self.rows[1:], strict=False)):
            raise IndexCorrupt("rows of a shard", "ascending indexes", list(self.rows[:8]))


@dataclass(frozen=True)
class SuffixIndex:
    """The shards of one version; how its rows are cut into shards changes no answer."""

    shards: tuple[VersionShard, ...]

    @property
    def tokens(self) -> int:
        """Tokens of all rows."""
        return sum(part.shard.tokens for part in self.shards)

    def leading_matches(self, output: Sequence[int], minimum: int = MIN_SPAN_TOKENS) -> list[Match]:
        """The leading matches of at least `minimum` tokens, by start; at most one a place of the output."""
        patterns = [part.shard.pattern(output) for part in self.shards]
        reaches = [part.shard.reaches(p) for part, p in zip(self.shards, patterns, strict=True)]
        found, before = [], 0
        for start in range(len(output)):
            end = max((reach[start] for reach in reaches), default=start)
            if end > before and end - start >= minimum:
                having = [n for n, reach in enumerate(reaches) if reach[start] == end]
                found.append(self._lowest(patterns, having, start, end))
            before = max(before, end)
        return found

    def _lowest(self, patterns: Sequence[bytes], having: Sequence[int], start: int, end: int) -> Match:
        places = []
        for n in having:
            wanted = patterns[n][start * CODE_BYTES : end * CODE_BYTES]
            if (place := self.shards[n].shard.lowest(wanted)) is not None:
                places.append((self.shards[n].rows[place[0]], place[1]))
        row, row_start = min(places)
        return Match(start, end - start, row, row_start)
