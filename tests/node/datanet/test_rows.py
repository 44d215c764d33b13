"""What may not be stored at all: wrong kinds, sizes and characters, named by row and field."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.datanet.rows import (
    MAX_BATCH_ROWS,
    MAX_META_ENTRIES,
    MAX_TEXT_CHARS,
    InvalidRow,
    check_licence,
    check_rows,
    first_refused,
)
from node.errors import InvalidInput, LimitExceeded
from protocol.manifest import Row

GOOD = Row("qa", "Description: Cholera\nICD-10-CM code:", "A00.9", {"chapter": "1"})

BAD = {
    "kind": replace(GOOD, kind="program"),
    "prompt": replace(GOOD, prompt="x" * (MAX_TEXT_CHARS + 1)),
    "completion": replace(GOOD, completion="A00\x00.9"),
    "meta": replace(GOOD, meta={str(number): "" for number in range(MAX_META_ENTRIES + 1)}),
    "meta.note": replace(GOOD, meta={"note": "\u202e reversed"}),
}


def test_ordinary_rows_pass_in_any_language() -> None:
    """SPEC 1.14"""
    check_rows([GOOD, replace(GOOD, prompt="Ménière's disease\tнеобходимо\n診断 می‌خواهم")])


@pytest.mark.parametrize("field", BAD)
def test_a_bad_row_is_named_by_place_and_field(field: str) -> None:
    """SPEC 1.14"""
    with pytest.raises(InvalidRow) as caught:
        check_rows([GOOD, GOOD, BAD[field]])
    assert (caught.value.position, caught.value.field) == (2, field)


@pytest.mark.parametrize("count", [0, MAX_BATCH_ROWS + 1])
def test_a_batch_of_the_wrong_size_is_refused(count: int) -> None:
    """SPEC 1.14"""
    with pytest.raises(LimitExceeded):
        check_rows([GOOD] * count)


@pytest.mark.parametrize(
    "letter", ["\x00", "\x1b", "\x7f", "\u200b", "\u202e", "\u2066", "\ufeff", "\ue000", "\U000e0041"]
)
def test_characters_that_hide_or_reorder_text_are_refused(letter: str) -> None:
    """SPEC 1.14"""
    assert first_refused(f"a{letter}b") == letter
    with pytest.raises(InvalidInput):
        check_licence(f"MIT{letter}")


@given(st.text(max_size=50))
@settings(max_examples=200, deadline=None)
def test_what_passes_is_printable(text: str) -> None:
    """SPEC 1.14"""
    if first_refused(text) is None:
        assert all(
            letter in "\n\t\u200c\u200d" or letter.isprintable() or letter.isspace() for letter in text
        )
