"""Rule `span-1`: which verbatim matches are credited, and with how many tokens. Objective, so contracts can
check it.

Matches are taken longest first, ties by lowest start, then lowest row. A match that would add no token is
passed over; one from a twenty-first row, or a sixty-fifth one, ends the cover, so whatever is omitted ranks
below the last match listed.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from protocol.errors import AttributionError
from protocol.lanes import MAX_OUTPUT_TOKENS, MAX_ROWS_PER_LANE, MAX_SPANS, Lane, LaneUnits

MIN_SPAN_TOKENS = 2
"""The shortest match that the rule knows, whatever a model registers."""

_Rank = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class Match:
    """Output tokens [start, start + length) equal row tokens [row_start, row_start + length)."""

    start: int
    length: int
    row: int
    row_start: int

    def __post_init__(self) -> None:
        if min(self.start, self.row, self.row_start) < 0 or self.length <= 0:
            raise AttributionError(f"impossible match {self.start}+{self.length} in row {self.row}")

    @property
    def end(self) -> int:
        """The first output token after it."""
        return self.start + self.length

    @property
    def rank(self) -> _Rank:
        """Lower comes first in the cover."""
        return -self.length, self.start, self.row, self.row_start


@dataclass(frozen=True, slots=True)
class SpanFinds:
    """The span lane of `count` output tokens: the cover in rank order, and whether the lane could run."""

    matches: tuple[Match, ...]
    count: int
    ran: bool

    def __post_init__(self) -> None:
        if not 0 <= self.count <= MAX_OUTPUT_TOKENS or (self.matches and not self.ran):
            raise AttributionError(f"{len(self.matches)} matches in {self.count} tokens, ran: {self.ran}")
        if cover(self.matches) != self.matches:
            raise AttributionError("the matches listed are not their own cover")
        for match in self.matches:
            if match.end > self.count:
                raise AttributionError(
                    f"match {match.start}+{match.length} runs past {self.count} output tokens"
                )

    @property
    def lane(self) -> Lane:
        """Always the span lane."""
        return Lane.SPAN


def least_tokens(registered: int) -> int:
    """The fewest tokens of a match under a model that registered `registered`."""
    return max(MIN_SPAN_TOKENS, registered)


def cover(matches: Iterable[Match], max_rows: int = MAX_ROWS_PER_LANE) -> tuple[Match, ...]:
    """The credited matches in rank order, whole (they may overlap; see `segments`)."""
    chosen: list[Match] = []
    rows: set[int] = set()
    covered: set[int] = set()
    for match in sorted(matches, key=lambda one: one.rank):
        tokens = range(match.start, match.end)
        if covered.issuperset(tokens):
            continue
        if len(chosen) == MAX_SPANS or (match.row not in rows and len(rows) == max_rows):
            break
        rows.add(match.row)
        covered.update(tokens)
        chosen.append(match)
    return tuple(chosen)


def segments(chosen: Sequence[Match]) -> tuple[Match, ...]:
    """Each chosen match cut down to the tokens no earlier one covered: disjoint, in rank order.

    A later match is never longer than an earlier one, so no earlier one lies inside it, and what is left of
    it is one piece.
    """
    pieces = []
    covered: set[int] = set()
    for match in chosen:
        left = [place for place in range(match.start, match.end) if place not in covered]
        covered.update(left)
        if left:
            pieces.append(Match(left[0], len(left), match.row, match.row_start + left[0] - match.start))
    return tuple(pieces)


def span_units(matches: Iterable[Match], count: int) -> LaneUnits:
    """The span lane of `count` output tokens: a row's units are the tokens it covers."""
    by_row: dict[int, int] = {}
    for piece in segments(cover(matches)):
        if piece.end > count:
            raise AttributionError(f"match {piece.start}+{piece.length} runs past {count} output tokens")
        by_row[piece.row] = by_row.get(piece.row, 0) + piece.length
    return LaneUnits(Lane.SPAN, tuple(sorted(by_row.items())), count - sum(by_row.values()), ran=True)
