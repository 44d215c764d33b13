"""Golden cases of what contracts say about a report's lists: flaws, omitted matches, shares to the ppm."""

import random
from collections.abc import Sequence

from protocol.epoch_json import LIST_NAMES
from protocol.lane_lists import (
    LaneLists,
    ListedSpan,
    is_omission,
    list_shares,
    lists_flaw,
    span_flaw,
    span_words,
    units_words,
)
from protocol.lanes import MAX_UNITS
from protocol.parameters import DEFAULT_WEIGHTS
from protocol.spans import Match, cover
from scripts.vectors_samples import Case

LEAST = 3
ROWS = 40


def faults() -> Case:
    drawn = random.Random(7)
    return {
        "weights": {lane.name.lower(): ppm for lane, ppm in DEFAULT_WEIGHTS.items()},
        "lists": [_lists_case(drawn, number) for number in range(24)] + _full_cases(),
        "flawed": [_flawed_case(lists) for lists in _flawed()],
        "spans": [_span_case(drawn, number) for number in range(16)],
    }


def _lists_case(drawn: random.Random, number: int) -> Case:
    count = drawn.choice((0, 1, 40, 255, 256, 257, 700))
    spans = _listed(drawn, _matches(drawn, count, 30))
    lists = LaneLists(
        _units(drawn) if number % 5 else (),
        span_words(spans) if number % 7 else (0,),
        _units(drawn) if number % 3 == 0 else (),
    )
    return _shares_case(lists, count)


def _full_cases() -> list[Case]:
    """As long as lists can be, and all in one word of tokens."""
    units = units_words([(row * 3, MAX_UNITS - row) for row in range(20)], MAX_UNITS)
    spans = [ListedSpan(Match(4 * at, 4, at % 20, 0), (7 * at) % 20, at % 9 != 0) for at in range(64)]
    whole = [ListedSpan(Match(0, 256, 1, 0), 1, True), ListedSpan(Match(200, 100, 2, 0), 0, True)]
    return [
        _shares_case(LaneLists(units, span_words(spans), units), 300),
        _shares_case(LaneLists((), span_words(whole), ()), 512),
    ]


def _shares_case(lists: LaneLists, count: int) -> Case:
    shares = list_shares(lists, DEFAULT_WEIGHTS, count)
    return {
        **_words_json(lists),
        "outputTokens": count,
        "shares": [[int(lane), row, ppm] for lane, row, ppm in shares],
    }


def _flawed() -> list[tuple[LaneLists, int]]:
    bad_units: list[tuple[int, ...]] = [
        units_words([(row, 1) for row in range(21)], 0),
        (1,),
        (0, 1 << 64 | 1),
        (2 << 64,),
        units_words([(3, 0)], 0),
        units_words([(3, MAX_UNITS + 1)], 0),
        units_words([(2**32, 1)], 0),
        units_words([(3, 1), (3, 1)], 0),
    ]
    bad_spans: list[tuple[int, ...]] = [(2,), (0, 1 << 64), (1, *[2 << 64] * 65), (1, 9 << 96 | 2 << 64)]
    return [
        *((LaneLists(gradient=part), 10) for part in bad_units),
        *((LaneLists(retrieval=part), 10) for part in bad_units),
        *((LaneLists(span=part), 10) for part in bad_spans),
        (LaneLists(span=(1,)), 2**17 + 1),
        (LaneLists(span=(1,)), 2**17),
    ]


def _flawed_case(case: tuple[LaneLists, int]) -> Case:
    lists, count = case
    return {**_words_json(lists), "outputTokens": count, "flaw": int(lists_flaw(lists, count))}


def _span_case(drawn: random.Random, number: int) -> Case:
    """An honest list or a spoiled one; the flaw of each place, and which of some matches it omits."""
    found = _matches(drawn, 60, 40)
    part = list(span_words(_listed(drawn, found)))
    if number % 2 and len(part) > 2:
        place = drawn.randrange(1, len(part))
        spoil = drawn.choice(("drop", "swap", "bit", "repeat"))
        if spoil == "drop":
            part.pop(place)
        elif spoil == "swap":
            part[1], part[place] = part[place], part[1]
        elif spoil == "bit":
            part[place] ^= 1 << drawn.choice((5, 33, 40, 65, 69, 97, 101, 130, 161))
        else:
            part.append(part[place])
    shown = found[:12]
    return {
        "words": [hex(word) for word in part],
        "outputTokens": 60,
        "least": LEAST,
        "rowCount": ROWS,
        "flaws": [int(span_flaw(part, place, 60, LEAST, ROWS)) for place in range(1, len(part))],
        "candidates": [
            {
                "match": [one.start, one.length, one.row, one.row_start],
                "omitted": is_omission(part, one),
            }
            for one in shown
        ],
    }


def _matches(drawn: random.Random, count: int, most: int) -> list[Match]:
    found = []
    for _ in range(drawn.randrange(most)):
        length = drawn.randrange(LEAST, 20)
        if length <= count:
            start = drawn.randrange(count - length + 1)
            found.append(Match(start, length, drawn.randrange(ROWS), drawn.randrange(9)))
    return found


def _listed(drawn: random.Random, found: Sequence[Match]) -> list[ListedSpan]:
    return [ListedSpan(match, match.row // 2, drawn.random() < 0.9) for match in cover(found)]


def _units(drawn: random.Random) -> tuple[int, ...]:
    rows = sorted(drawn.sample(range(ROWS), drawn.randrange(21)))
    return units_words([(row, drawn.randrange(1, 10**9)) for row in rows], drawn.randrange(10**9))


def _words_json(lists: LaneLists) -> Case:
    return {name: [hex(word) for word in part] for name, part in zip(LIST_NAMES, lists.parts, strict=False)}
