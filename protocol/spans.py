"""Rule `span-1`: which verbatim matches are credited, and with how many tokens. Objective, so contracts can
check it.

Matches are taken longest first, ties by lowest start, then lowest row. A match that would add no token is
passed over; one from a twenty-first row ends the cover, so whatever is omitted ranks below the last match
listed.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from protocol.attribution import MAX_ROWS_PER_LANE, Lane, LaneUnits
from protocol.errors import AttributionError


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


def cover(matches: Iterable[Match], max_rows: int = MAX_ROWS_PER_LANE) -> tuple[Match, ...]:
    """The credited matches in rank order, whole (they may overlap; see `segments`)."""
    chosen: list[Match] = []
    rows: set[int] = set()
    covered: set[int] = set()
    for match in sorted(matches, key=_rank):
        tokens = range(match.start, match.start + match.length)
        if covered.issuperset(tokens):
            continue
        if match.row not in rows and len(rows) == max_rows:
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
        left = [place for place in range(match.start, match.start + match.length) if place not in covered]
        covered.update(left)
        if left:
            pieces.append(Match(left[0], len(left), match.row, match.row_start + left[0] - match.start))
    return tuple(pieces)


def span_units(matches: Iterable[Match], count: int) -> LaneUnits:
    """The span lane of `count` output tokens: a row's units are the tokens it covers."""
    by_row: dict[int, int] = {}
    for piece in segments(cover(matches)):
        if piece.start + piece.length > count:
            raise AttributionError(f"match {piece.start}+{piece.length} runs past {count} output tokens")
        by_row[piece.row] = by_row.get(piece.row, 0) + piece.length
    return LaneUnits(Lane.SPAN, tuple(sorted(by_row.items())), count - sum(by_row.values()), ran=True)


def _rank(match: Match) -> tuple[int, int, int, int]:
    return -match.length, match.start, match.row, match.row_start
