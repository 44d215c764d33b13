"""Reading vLLM's stream: what it tells, and what it must not be believed."""

import json

import pytest

from inference_worker.engine.sequence import Scores
from inference_worker.vllm.reply import Chosen, ReplyMalformed, ReplyNotFinite, read_line


def line(tokens, logprobs, tops):
    told = {
        "tokens": tokens,
        "token_logprobs": logprobs,
        "top_logprobs": tops,
        "text_offset": [0] * len(tokens),
    }
    return b"data: " + json.dumps({"id": "x", "choices": [{"text": "a", "logprobs": told}]}).encode() + b"\n"


def test_tokens_come_with_the_likeliest_first_and_ties_by_the_lower_id():
    """vLLM adds the token itself to the likeliest, wherever it ranks."""
    top = {"token_id:5": -9.25, "token_id:30": -0.5, "token_id:8": -0.5, "token_id:2": -1.0000004}
    assert read_line(line(["token_id:5"], [-9.25], [top]), 3) == (
        Chosen(5, Scores(-9.25, ((8, -0.5), (30, -0.5), (2, -1.0)))),
    )


def test_a_line_may_hold_several_tokens_or_none():
    several = line(["token_id:1", "token_id:2"], [-1, 0.0000001], [{"token_id:1": -1}, {"token_id:2": -2}])
    assert [one.token for one in read_line(several, 0)] == [1, 2]
    assert [one.scores for one in read_line(several, 0)] == [Scores(-1.0, ()), Scores(0.0, ())]
    for empty in (b"\n", b"data: [DONE]\n", b'data: {"choices": [{"text": ""}]}\n'):
        assert read_line(empty, 0) == ()


@pytest.mark.parametrize("top", [{"token_id:0": None}, {"token_id:0": -1.0, "token_id:1": None}])
def test_a_logprob_that_is_no_number_is_a_nan(top):
    """SPEC 4.198"""
    with pytest.raises(ReplyNotFinite):
        read_line(line(["token_id:0"], [top["token_id:0"]], [top]), 1)


@pytest.mark.parametrize(
    "raw",
    [
        b"event: x\n",
        b"data: {\n",
        b'data: {"choices": []}\n',
        b'data: {"choices": [{"logprobs": {}}]}\n',
        b'data: {"error": {"message": "out of memory"}}\n',
        b'data: {"choices": [{"logprobs": {"tokens": [], "token_logprobs": NaN}}]}\n',
        line(["hello"], [-1.0], [{"hello": -1.0}]),
        line(["token_id:x"], [-1.0], [{"token_id:x": -1.0}]),
        line(["token_id:1", "token_id:2"], [-1.0], [{}]),
    ],
)
def test_anything_else_is_refused(raw):
    with pytest.raises(ReplyMalformed):
        read_line(raw, 0)
