"""The evidence that a report binds: what each lane counted, in words that a contract reads as they are.

Gradient and retrieval: [0] = ran<<64 | unattributed units, then row<<64 | units by ascending canonical row,
after clusters are merged and all but twenty are cut. Span: [0] = ran, then one word for each match of the
cover in rank order. An unused lane is the empty list. A report's shares follow from the lists, the weights
and the number of output tokens alone. Solidity twin: contracts/libraries/LaneLists.sol; same vectors.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum

from protocol.errors import AttributionError, SharesDoNotSum
from protocol.hashing import MAX_WORD, Keccak, tag, words
from protocol.lanes import MAX_OUTPUT_TOKENS, MAX_ROWS_PER_LANE, MAX_SPANS, MAX_UNITS, Lane
from protocol.shares import scores_to_shares
from protocol.spans import Match
from protocol.types import MAX_UINT32, MAX_UINT64, TOTAL_PPM

DID_NOT_RUN = (0,)
_RAN_UNITS = 1 << 64

Share = tuple[Lane, int, int]
"""(lane, row, ppm); the unattributed part is the last, under row 0."""


class Flaw(IntEnum):
    """What is wrong with a list, as the contracts number it."""

    NONE = 0
    LENGTH = 1
    HEADER = 2
    WORD = 3
    ORDER = 4
    OUTPUT = 5
    TOO_SHORT = 6
    ROW = 7
    ADDS_NOTHING = 8
    TOO_MANY_ROWS = 9


@dataclass(frozen=True, slots=True)
class LaneLists:
    """The lists as words; nothing here says that they are well formed. `influence` is what the gradient's
    units were computed from (`protocol.influence_list`).
    """

    gradient: tuple[int, ...] = ()
    span: tuple[int, ...] = ()
    retrieval: tuple[int, ...] = ()
    influence: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if any(not 0 <= word <= MAX_WORD for part in self.bound for word in part):
            raise AttributionError("a list holds words of 256 bits")

    @property
    def parts(self) -> tuple[tuple[int, ...], ...]:
        """The lists that shares follow from, in the order of the lanes."""
        return self.gradient, self.span, self.retrieval

    @property
    def bound(self) -> tuple[tuple[int, ...], ...]:
        """All lists in the order of the report root."""
        return *self.parts, self.influence


NO_LISTS = LaneLists()


@dataclass(frozen=True, slots=True)
class ListedSpan:
    """A match of the cover, the canonical row of its cluster, and whether that row may earn."""

    match: Match
    cluster: int
    credited: bool


def lane_hash(part: Sequence[int], keccak: Keccak) -> bytes:
    """keccak256(abi.encode(TAG_LANE, uint256[] words))."""
    return keccak(words(tag("lane", keccak), 64, len(part), *part))


def units_words(units: Sequence[tuple[int, int]], unattributed: int) -> tuple[int, ...]:
    """The list of a lane that ran, from (canonical row, units) in ascending order."""
    if unattributed > MAX_UINT64:
        raise AttributionError(f"{unattributed} unattributed units")
    return (_RAN_UNITS | unattributed, *(row << 64 | count for row, count in units))


def span_words(spans: Sequence[ListedSpan]) -> tuple[int, ...]:
    """The list of a span lane that ran."""
    return (1, *(_span_word(span) for span in spans))


def read_span(word: int) -> ListedSpan | None:
    """What a word lists; None where no match has that length."""
    if not word >> 64 & MAX_UINT32:
        return None
    start, length, row, row_start = (word >> bits & MAX_UINT32 for bits in (96, 64, 32, 0))
    return ListedSpan(Match(start, length, row, row_start), word >> 128 & MAX_UINT32, bool(word >> 160 & 1))


def units_flaw(part: Sequence[int]) -> Flaw:
    """What is wrong with a gradient or retrieval list."""
    if not part:
        return Flaw.NONE
    if len(part) > 1 + MAX_ROWS_PER_LANE:
        return Flaw.LENGTH
    if part[0] >> 65 or (part[0] < _RAN_UNITS and (part[0] or len(part) > 1)):
        return Flaw.HEADER
    before = -1
    for word in part[1:]:
        row, units = word >> 64, word & MAX_UINT64
        if row > MAX_UINT32 or not 0 < units <= MAX_UNITS:
            return Flaw.WORD
        if row <= before:
            return Flaw.ORDER
        before = row
    return Flaw.NONE


def spans_flaw(part: Sequence[int], output_tokens: int) -> Flaw:
    """What keeps a span list from being counted at all; the places of its matches are `span_flaw`'s."""
    if not part:
        return Flaw.NONE
    if len(part) > 1 + MAX_SPANS:
        return Flaw.LENGTH
    if part[0] > 1 or (part[0] == 0 and len(part) > 1):
        return Flaw.HEADER
    if output_tokens > MAX_OUTPUT_TOKENS or any(_end(word) > output_tokens for word in part[1:]):
        return Flaw.OUTPUT
    return Flaw.NONE


def span_flaw(part: Sequence[int], place: int, output_tokens: int, least: int, row_count: int) -> Flaw:
    """What is wrong with the match at `place` (from 1) of a span list, given those before it."""
    word, earlier = part[place], part[1:place]
    if word >> 161:
        return Flaw.WORD
    span = read_span(word)
    if span is None or span.match.length < least:
        return Flaw.TOO_SHORT
    if span.match.end > output_tokens:
        return Flaw.OUTPUT
    if span.match.row >= row_count:
        return Flaw.ROW
    if earlier and not _before(earlier[-1], span.match):
        return Flaw.ORDER
    if not adds_tokens(earlier, span.match):
        return Flaw.ADDS_NOTHING
    rows = {one >> 32 & MAX_UINT32 for one in earlier}
    if span.match.row not in rows and len(rows) >= MAX_ROWS_PER_LANE:
        return Flaw.TOO_MANY_ROWS
    return Flaw.NONE


def adds_tokens(listed: Sequence[int], match: Match) -> bool:
    """Whether `match` has a token that no listed match ranked before it has.

    Those are at least as long, so each that overlaps it covers one of its ends: what is left is one piece.
    """
    low, high = match.start, match.end
    for word in listed:
        if not _before(word, match):
            continue
        start, end = word >> 96 & MAX_UINT32, _end(word)
        if start <= match.start and end > low:
            low = end
        if end >= match.end and start < high:
            high = start
    return low < high


def is_omission(part: Sequence[int], match: Match) -> bool:
    """Whether a true match, long enough, should have been in this span list and is not (F2)."""
    listed = [word & (1 << 128) - 1 for word in part[1:]]
    if not part or part[0] != 1 or _place_of(match) in listed or not adds_tokens(part[1:], match):
        return False
    rows = {word >> 32 & MAX_UINT32 for word in listed}
    # A full cover ended somewhere after its last match; what ranks below that one may rightly be left out.
    full = len(listed) >= MAX_SPANS or len(rows) >= MAX_ROWS_PER_LANE
    return not full or not _before(part[-1], match)


def effective_weights(weights: Mapping[Lane, int], with_retrieval: bool) -> tuple[tuple[Lane, int], ...]:
    """The weights that apply to one answer: retrieval, where used, is taken out of the gradient's weight."""
    retrieval = weights.get(Lane.RETRIEVAL, 0) if with_retrieval else 0
    gradient = weights[Lane.GRADIENT] - retrieval
    total = weights[Lane.GRADIENT] + weights[Lane.SPAN]
    if total != TOTAL_PPM or min(gradient, retrieval, weights[Lane.SPAN]) < 0:
        raise SharesDoNotSum("gradient and span weights, retrieval within gradient,", TOTAL_PPM, total)
    return (Lane.GRADIENT, gradient), (Lane.SPAN, weights[Lane.SPAN]), (Lane.RETRIEVAL, retrieval)


def lists_flaw(lists: LaneLists, output_tokens: int) -> Flaw:
    """The first flaw that keeps the lists from making shares, in lane order."""
    return units_flaw(lists.gradient) or spans_flaw(lists.span, output_tokens) or units_flaw(lists.retrieval)


def list_shares(lists: LaneLists, weights: Mapping[Lane, int], output_tokens: int) -> tuple[Share, ...]:
    """The shares that lists without flaw make: positive, by (lane, row), then the unattributed part."""
    flaw = lists_flaw(lists, output_tokens)
    if flaw:
        raise AttributionError(f"the lists make no shares: {flaw.name}")
    shares: list[Share] = []
    unattributed = 0
    for (lane, weight), part in zip(
        effective_weights(weights, bool(lists.retrieval)), lists.parts, strict=True
    ):
        units, rest = _counted(lane, part, output_tokens)
        *parts, left = scores_to_shares([*units.values(), rest], weight)
        shares += [(lane, row, ppm) for row, ppm in zip(units, parts, strict=True) if ppm]
        unattributed += left
    return (*shares, (Lane.UNATTRIBUTED, 0, unattributed))


def _counted(lane: Lane, part: Sequence[int], output_tokens: int) -> tuple[dict[int, int], int]:
    """Units by ascending canonical row, and the unattributed ones; none where a lane did not run."""
    if not part or part[0] == 0:
        return {}, 0
    if lane is Lane.SPAN:
        return _counted_spans(part[1:], output_tokens)
    return {word >> 64: word & MAX_UINT64 for word in part[1:]}, part[0] & MAX_UINT64


def _counted_spans(listed: Sequence[int], output_tokens: int) -> tuple[dict[int, int], int]:
    covered: set[int] = set()
    units: dict[int, int] = {}
    for word in listed:
        fresh = set(range(word >> 96 & MAX_UINT32, _end(word))) - covered
        covered |= fresh
        if word >> 160 & 1 and fresh:
            cluster = word >> 128 & MAX_UINT32
            units[cluster] = units.get(cluster, 0) + len(fresh)
    return dict(sorted(units.items())), output_tokens - sum(units.values())


def _span_word(span: ListedSpan) -> int:
    return int(span.credited) << 160 | span.cluster << 128 | _place_of(span.match)


def _place_of(match: Match) -> int:
    return match.start << 96 | match.length << 64 | match.row << 32 | match.row_start


def _end(word: int) -> int:
    return (word >> 96 & MAX_UINT32) + (word >> 64 & MAX_UINT32)


def _before(word: int, match: Match) -> bool:
    """Whether the listed match ranks before `match`."""
    length = word >> 64 & MAX_UINT32
    place = (word >> 96 & MAX_UINT32, word >> 32 & MAX_UINT32, word & MAX_UINT32)
    return (-length, *place) < match.rank
