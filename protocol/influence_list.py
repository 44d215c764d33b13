"""What the gradient lane's units were computed from, in words that a contract reads as they are.

One section for each index of the model, an ensemble's in the order of its members: index root, query code
hash, threshold << 192 | gain << 128 | floor << 64 | kappa << 32 | number of rows, chance, then for each row
canonical << 128 | member << 96 | leaf << 64 | score, by ascending canonical row; threshold and scores in
two's complement, leaves those of the index's tree.
The empty list says that no gradient was taken. Solidity twin: contracts/libraries/InfluenceLists.sol.
"""

from collections.abc import Sequence

from protocol.errors import AttributionError
from protocol.hashing import sha256
from protocol.influence import MAX_CHANCE, Influence, Measured, ScoredRow, whole_of
from protocol.lane_lists import Flaw, units_flaw
from protocol.lanes import MAX_ROWS_PER_LANE
from protocol.types import MAX_UINT32, MAX_UINT64, TOTAL_PPM

HEAD_WORDS = 4
MAX_SECTIONS = 8


def influence_words(sections: Sequence[Influence]) -> tuple[int, ...]:
    """The list of an answer's influence; AttributionError where it would be flawed."""
    words = tuple(word for section in sections for word in _section_words(section))
    flaw = influence_flaw(words)
    if flaw:
        raise AttributionError(f"the influence makes no list: {flaw.name}")
    return words


def influence_flaw(words: Sequence[int]) -> Flaw:
    """What is wrong with an influence list by itself."""
    at = sections = 0
    while at < len(words):
        sections += 1
        if sections > MAX_SECTIONS or at + HEAD_WORDS > len(words):
            return Flaw.LENGTH
        count = words[at + 2] & MAX_UINT32
        if count > MAX_ROWS_PER_LANE or at + HEAD_WORDS + count > len(words):
            return Flaw.LENGTH
        if words[at + 2] >> 32 & MAX_UINT32 > TOTAL_PPM or words[at + 3] > MAX_CHANCE:
            return Flaw.HEADER
        flaw = _rows_flaw(words[at + HEAD_WORDS : at + HEAD_WORDS + count], _signed(words[at + 2] >> 192))
        if flaw:
            return flaw
        at += HEAD_WORDS + count
    return Flaw.NONE


def read_influence(words: Sequence[int]) -> tuple[Influence, ...]:
    """The sections of a list without flaw."""
    sections = []
    at = 0
    while at < len(words):
        root, code, measured, chance = words[at : at + HEAD_WORDS]
        end = at + HEAD_WORDS + (measured & MAX_UINT32)
        sections.append(
            Influence(
                root.to_bytes(32, "big"),
                code.to_bytes(32, "big"),
                Measured(
                    threshold=_signed(measured >> 192),
                    chance=chance,
                    gain=measured >> 128 & MAX_UINT64,
                    floor=measured >> 64 & MAX_UINT64,
                    kappa_ppm=measured >> 32 & MAX_UINT32,
                ),
                tuple(_row(word) for word in words[at + HEAD_WORDS : end]),
            )
        )
        at = end
    return tuple(sections)


def index_digest(roots: Sequence[bytes]) -> bytes:
    """What a model registers of its index: the root, or sha256 of an ensemble's roots one after the other."""
    return roots[0] if len(roots) == 1 else sha256(b"".join(roots))


def units_follow(influence: Sequence[int], gradient: Sequence[int]) -> bool:
    """Whether the gradient list can follow from the influence list: each row's units are its own, and what
    rows that may not earn would have got is unattributed. An ensemble's weights are not known here.
    """
    if influence_flaw(influence) or units_flaw(gradient):
        return False
    sections = read_influence(influence)
    if not sections:
        return not any(gradient)
    if not gradient or gradient[0] >> 64 != 1:
        return False
    return len(sections) > 1 or _follow(sections[0], gradient)


def units_at(section: Influence, place: int) -> int:
    """The units of the row at `place` of a section."""
    excess = [row.score - section.measured.threshold for row in section.rows]
    return excess[place] // whole_of(sum(excess), section.measured)[1]


def is_omission(section: Influence, canonical: int, score: int) -> bool:
    """Whether a cluster with this score is missing, or listed with a lower one: larger scores come first,
    then lower rows.
    """
    if score <= section.measured.threshold:
        return False
    listed = {row.canonical: row.score for row in section.rows}
    if canonical in listed:
        return score > listed[canonical]
    return len(listed) < MAX_ROWS_PER_LANE or any(
        (-score, canonical) < (-other, row) for row, other in listed.items()
    )


def _follow(section: Influence, gradient: Sequence[int]) -> bool:
    excess = [row.score - section.measured.threshold for row in section.rows]
    whole, divisor = whole_of(sum(excess), section.measured)
    units = {row.canonical: value // divisor for row, value in zip(section.rows, excess, strict=True)}
    if any(units.get(word >> 64) != word & MAX_UINT64 for word in gradient[1:]):
        return False
    return sum(word & MAX_UINT64 for word in gradient) == whole


def _rows_flaw(words: Sequence[int], threshold: int) -> Flaw:
    before = -1
    for word in words:
        row = _row(word)
        if word >> 160 or row.leaf == 0 or row.score <= threshold:
            return Flaw.WORD
        if row.canonical <= before:
            return Flaw.ORDER
        before = row.canonical
    return Flaw.NONE


def _section_words(section: Influence) -> tuple[int, ...]:
    numbers = [number for row in section.rows for number in (row.canonical, row.member, row.leaf)]
    if any(not 0 <= number <= MAX_UINT32 for number in numbers):
        raise AttributionError("rows and leaves have numbers of 32 bits")
    one = section.measured
    head = one.gain << 128 | one.floor << 64 | one.kappa_ppm << 32 | len(section.rows)
    return (
        int.from_bytes(section.index_root, "big"),
        int.from_bytes(section.query_code_hash, "big"),
        (one.threshold & MAX_UINT64) << 192 | head,
        one.chance,
        *(
            row.canonical << 128 | row.member << 96 | row.leaf << 64 | row.score & MAX_UINT64
            for row in section.rows
        ),
    )


def _row(word: int) -> ScoredRow:
    canonical, member, leaf = (word >> bits & MAX_UINT32 for bits in (128, 96, 64))
    return ScoredRow(canonical, member, leaf, _signed(word & MAX_UINT64))


def _signed(value: int) -> int:
    """A number of 64 bits in two's complement."""
    return value - (1 << 64) if value >> 63 else value
