"""The held-out file is one that the worker reads, and never holds what was trained on."""

import json

import pytest

from node.datanet.icd10 import row_of, select_codes
from node.errors import InvalidInput
from node.training.held_out import check_disjoint, decode_prompts, encode_held_out
from protocol.errors import ProtocolError

ROWS = [row_of(code) for code in select_codes(20, "held out")]


def test_the_file_has_every_question_and_candidate() -> None:
    """SPEC 2.6"""
    file = json.loads(encode_held_out(ROWS[:5], ROWS))
    assert (file["v"], len(file["questions"]), len(file["candidates"])) == (1, 5, 20)
    assert file["questions"][0] == {"prompt": ROWS[0].prompt, "completion": ROWS[0].completion}
    with pytest.raises(InvalidInput):
        encode_held_out([])


def test_a_question_that_was_trained_on_is_found() -> None:
    """SPEC 2.6"""
    check_disjoint(ROWS[:5], ROWS[5:])
    with pytest.raises(InvalidInput, match="among the training rows"):
        check_disjoint(ROWS[:6], ROWS[5:])


def test_the_prompts_are_read_back_and_nothing_else_is() -> None:
    """SPEC 4.165"""
    assert decode_prompts(encode_held_out(ROWS[:5], ROWS)) == tuple(row.prompt for row in ROWS[:5])
    for data in (
        b"",
        b"[]",
        b'{"v":2,"questions":[]}',
        b'{"v":1,"questions":[]}',
        b'{"v":1,"questions":[{}]}',
    ):
        with pytest.raises(ProtocolError):
            decode_prompts(data)
