"""Golden cases of the gradient lane: scores to units, the list that binds them, rows scored by a code."""

import random
from collections.abc import Mapping
from dataclasses import asdict, replace

from protocol.hashing import sha256, to_hex
from protocol.index_pages import CodeShape
from protocol.influence import MAX_CHANCE, MAX_SCORE, Influence, Measured, ScoredRow, settle
from protocol.influence_list import (
    index_digest,
    influence_flaw,
    influence_words,
    is_omission,
    units_at,
    units_follow,
)
from protocol.lane_lists import units_words
from protocol.query_code import CodeBytes, decode_code, is_code, score_of
from protocol.types import MAX_UINT64
from scripts.vectors_samples import Case, word

GAIN, FLOOR = 16_000_000, 600_000
# Place and bit of one change to a list of two rows.
FLIPS = (
    *((2, 0), (2, 1), (2, 4), (2, 51), (3, 128), (4, 160)),
    *((4, 67), (4, 63), (5, 131), (2, 192), (0, 9)),
)


def influence() -> Case:
    twenty = {7 * place: 10**9 + place**3 for place in range(20)}
    cases: tuple[tuple[str, Mapping[int, int], Measured], ...] = (
        ("plain", {3: 1_700, 9: 1_200}, Measured(1_000, 100, GAIN, FLOOR)),
        ("twenty rows, shrunk to two thirds", twenty, Measured(10**9 - 1, 777, GAIN, FLOOR, 666_667)),
        ("threshold below zero", {0: -5, 4: 12}, Measured(-9, 3, GAIN, FLOOR)),
        ("nothing found", {}, Measured(1_000, 100, GAIN, FLOOR)),
        ("no gain", {3: 1_700}, Measured(1_000, 100, 0, FLOOR)),
        ("shrunk to nothing", {3: 1_700}, Measured(1_000, 100, GAIN, FLOOR, 0)),
        ("shrunk to one ppm", {3: 1_700, 5: 1_001}, Measured(1_000, 0, GAIN, FLOOR, 1)),
        ("too large for the units", {1: 2**60, 2: 2**54, 3: 4}, Measured(3, 2**87, GAIN, FLOOR, 500_000)),
        (
            "all at their limits",
            {row: MAX_SCORE for row in range(20)},
            Measured(-MAX_SCORE, MAX_CHANCE, 1, MAX_UINT64, 1),
        ),
    )
    return {
        "units": [_units_case(*case) for case in cases],
        "lists": [_list_case(*case) for case in cases],
        "flawed": [_flawed_case(change) for change in range(14)],
        "ensemble": _ensemble_case(),
        "scores": [_score_case(number) for number in range(8)],
    }


def _units_case(name: str, scores: Mapping[int, int], measured: Measured) -> Case:
    lane = settle(scores, measured)
    return {
        "name": name,
        "scores": [[row, str(score)] for row, score in scores.items()],
        "measured": {field: str(value) for field, value in asdict(measured).items()},
        "units": [[row, str(units)] for row, units in lane.units],
        "unattributed": str(lane.unattributed),
    }


def _section(scores: Mapping[int, int], measured: Measured, name: str) -> Influence:
    rows = tuple(ScoredRow(row, row + 2, row + 5, score) for row, score in sorted(scores.items()))
    return Influence(word(f"root {name}"), word(f"code {name}"), measured, rows)


def _list_case(name: str, scores: Mapping[int, int], measured: Measured) -> Case:
    """The list, the units list that follows, one that does not, and which clusters would be missing."""
    section = _section(scores, measured, name)
    words, lane = influence_words([section]), section.lane()
    right = units_words(lane.units, lane.unattributed)
    candidates = [(row, score) for row in (0, 8, 1000) for score in (-9, 12, 1_201, 10**9 + 1)]
    return {
        "name": name,
        "words": [hex(one) for one in words],
        "gradient": [hex(one) for one in right],
        "others": [
            {"gradient": [hex(one) for one in other], "follows": units_follow(words, other)}
            for other in ((right[0] + 1, *right[1:]), right[:-1], (0,), (*right, 7 << 90 | 1))
        ],
        "unitsAt": [str(units_at(section, place)) for place in range(len(section.rows))],
        "omissions": [[row, str(score), is_omission(section, row, score)] for row, score in candidates],
    }


def _flawed_case(change: int) -> Case:
    words = list(influence_words([_section({3: 1_700, 9: 1_200}, Measured(1_000, 1, 2, 3), "flawed")]))
    if change < len(FLIPS):
        place, bit = FLIPS[change]
        words[place] ^= 1 << bit
    if change == 11:
        words = words[:3]
    if change == 12:
        words *= 9
    if change == 13:
        words *= 8
    return {"words": [hex(one) for one in words], "flaw": int(influence_flaw(words))}


def _ensemble_case() -> Case:
    sections = [_section({3: 1_700}, Measured(1_000, 1, 2, 3), name) for name in ("first", "second")]
    return {
        "words": [hex(one) for one in influence_words(sections)],
        "indexDigest": to_hex(index_digest([section.index_root for section in sections])),
        "alone": to_hex(index_digest([sections[0].index_root])),
    }


def _score_case(number: int) -> Case:
    """Codes and records of several shapes, extreme ones, and some that do not fit."""
    drawn = random.Random(number)
    shape = (CodeShape(1, 64), CodeShape(3, 1024, 48), CodeShape(2, 192, 2), CodeShape(16, 64))[number % 4]
    code = CodeBytes(
        tuple(drawn.randrange(2**32) for _ in range(shape.checkpoints)),
        tuple(drawn.randbytes(shape.width) for _ in range(shape.checkpoints)),
        drawn.randrange(2**32) if shape.losses else 0,
        drawn.randbytes(shape.losses),
    )
    record = drawn.randbytes(shape.record_bytes())
    if number == 4:
        code = replace(code, codes=(b"\x80" * shape.width,) * shape.checkpoints)
        record = b"\xff" * len(record)
    data = code.encode()
    if number == 6:
        record = record[:-1]
    if number == 7:
        data = bytes([data[0] ^ 1, *data[1:]])
    score = score_of(decode_code(data), record) if is_code(data) else None
    return {
        "code": to_hex(data),
        "hash": to_hex(sha256(data)),
        "record": to_hex(record),
        "score": None if score is None else str(score),
    }
