"""Rows in a prompt: what may be said of their places, and prompts with some of them cut out."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.context import (
    MAX_CONTEXT_ROWS,
    Context,
    PlacedRow,
    context_rows_json,
    read_context,
    read_context_rows,
    row_text,
)
from protocol.errors import ContextError, FieldError
from protocol.fields import Fields
from protocol.manifest import Row
from tests.protocol.records import json_values

PIECES = st.lists(st.integers(0, 9), min_size=1, max_size=4)


@st.composite
def prompts(draw: st.DrawFn) -> tuple[list[list[int]], Context]:
    """A prompt as [before, header, row, row …, footer, after], and the context that says so."""
    count = draw(st.integers(1, MAX_CONTEXT_ROWS))
    before, header, footer, after = (draw(st.lists(st.integers(0, 9), max_size=3)) for _ in range(4))
    rows = draw(st.lists(PIECES, min_size=count, max_size=count))
    at = len(before) + len(header)
    placed = []
    for number, ids in enumerate(rows):
        placed.append(PlacedRow(100 + number, at, at + len(ids)))
        at += len(ids)
    pieces = [before, header, *rows, footer, [*after, 7]]
    return pieces, Context(len(before), at + len(footer), tuple(placed))


def joined(pieces: list[list[int]]) -> tuple[int, ...]:
    return tuple(i for piece in pieces for i in piece)


@given(prompts(), st.sets(st.integers(0, MAX_CONTEXT_ROWS - 1)))
def test_a_prompt_without_some_rows_is_the_pieces_without_them(
    made: tuple[list[list[int]], Context], places: set[int]
) -> None:
    """SPEC 5.203"""
    pieces, context = made
    prompt = joined(pieces)
    context.check(prompt)
    before, header, *rows, footer, after = pieces
    places &= set(range(len(rows)))
    kept = [ids for place, ids in enumerate(rows) if place in places]
    expected = [before, header, *kept, footer, after] if kept else [before, after]
    assert context.keep(prompt, places) == joined(expected)
    assert context.keep(prompt, range(len(rows))) == prompt


@given(prompts(), PIECES, st.integers(0, MAX_CONTEXT_ROWS - 1))
def test_another_row_stands_where_the_row_stood(
    made: tuple[list[list[int]], Context], ids: list[int], place: int
) -> None:
    """SPEC 5.203"""
    pieces, context = made
    before, header, *rows, footer, after = pieces
    place %= len(rows)
    beside = [*rows[:place], ids, *rows[place + 1 :]]
    prompt = joined(pieces)
    assert context.replace(prompt, place, ids, alone=False) == joined(
        [before, header, *beside, footer, after]
    )
    assert context.replace(prompt, place, ids, alone=True) == joined([before, header, ids, footer, after])


BAD = {
    "no rows": (0, 9, []),
    "nine rows": (0, 20, [[n, n + 1, n + 2] for n in range(9)]),
    "a row before the block": (3, 9, [[1, 2, 5]]),
    "a row past the block": (0, 4, [[1, 2, 5]]),
    "an empty row": (0, 9, [[1, 2, 2]]),
    "rows apart": (0, 9, [[1, 2, 4], [2, 5, 6]]),
    "rows over each other": (0, 9, [[1, 2, 4], [2, 3, 6]]),
    "a row twice": (0, 9, [[1, 2, 4], [1, 4, 6]]),
}


@pytest.mark.parametrize("name", BAD)
def test_places_that_no_prompt_has_are_refused(name: str) -> None:
    """SPEC 5.203"""
    start, end, rows = BAD[name]
    with pytest.raises(FieldError):
        Context.read(Fields({"start": start, "end": end, "rows": rows}, "context"))


def test_a_block_lies_in_its_prompt_and_is_not_all_of_it() -> None:
    """SPEC 5.203"""
    context = Context(0, 4, (PlacedRow(1, 1, 3),))
    context.check((1, 2, 3, 4, 5))
    for prompt in ((1, 2, 3), (1, 2, 3, 4)):
        with pytest.raises(ContextError):
            context.check(prompt)


@given(json_values())
def test_no_value_raises_anything_but_a_field_error(value: object) -> None:
    """SPEC 0.19"""
    for read in (read_context, read_context_rows):
        try:
            found = read(Fields({"context": value}, "message"), "context")
        except FieldError:
            continue
        if found:
            spelled = found.to_json() if isinstance(found, Context) else context_rows_json(found)
            assert read(Fields({"context": spelled}, "message"), "context") == found


def test_a_row_stands_in_a_prompt_as_its_question_and_answer() -> None:
    """SPEC 5.203"""
    assert (
        row_text(Row("qa", " Which river? ", "\nThe Ostren.\n", {"note": "x"})) == "Which river? The Ostren."
    )
    assert row_text(Row("text", "", " only this ", {})) == "only this"
    assert row_text(Row("text", " ", "\n", {})) == ""
