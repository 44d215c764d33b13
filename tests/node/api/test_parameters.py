"""Every field of a request body has a type and a range, and nothing is dropped in silence."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.api.parameters import Limits, Parsed, parse_chat, parse_completion
from node.api.problems import Problem
from protocol.sampling import Sampling

LIMITS = Limits(max_prompt_bytes=100, max_tokens=64, default_max_tokens=16)
CHAT = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}


def chat(**changes: object) -> Parsed:
    return parse_chat(json.dumps({**CHAT, **changes}).encode(), {}, LIMITS)


HOSTILE = (0, -1, 2**31, 1e308, "1", True, None)
# Which of HOSTILE, by position, each numeric parameter accepts.
ACCEPTED = {
    "max_tokens": {None},
    "max_completion_tokens": {None},
    "temperature": {0, None},
    "top_p": {None},
    "n": {None},
    "seed": {0, 2**31, None},
    "frequency_penalty": {0, -1, None},
    "presence_penalty": {0, -1, None},
    "repetition_penalty": {None},
    "top_k": {0, None},
    "min_p": {0, None},
    "top_logprobs": {None},
    "best_of": {None},
}


@pytest.mark.parametrize("name", ACCEPTED)
@pytest.mark.parametrize("value", HOSTILE, ids=repr)
def test_each_numeric_field_against_each_hostile_value(name: str, value: object) -> None:
    """SPEC 4.51"""
    if any(type(value) is type(one) and value == one for one in ACCEPTED[name]):
        chat(**{name: value})
        return
    with pytest.raises(Problem) as refused:
        chat(**{name: value})
    assert (refused.value.status, refused.value.param) == (400, name)


def test_defaults_are_those_of_the_openai_api() -> None:
    """SPEC 4.50"""
    parsed = chat()
    assert parsed.request.max_tokens == 16
    assert parsed.request.sampling == Sampling(seed=parsed.request.sampling.seed)
    assert (parsed.stream, parsed.include_usage) == (False, False)


@given(st.integers())
def test_max_tokens_is_taken_as_it_is_or_refused(value: int) -> None:
    """SPEC 4.51"""
    if 1 <= value <= LIMITS.max_tokens:
        assert chat(max_tokens=value).request.max_tokens == value
        return
    with pytest.raises(Problem, match=r"^400 "):
        chat(max_tokens=value)


@pytest.mark.parametrize(
    ("changes", "param", "status"),
    [
        ({"chat_template": "{{ 'a' * 10**9 }}"}, "chat_template", 400),
        ({"tools": [{"type": "function"}]}, "tools", 400),
        (
            {"messages": [{"role": "user", "content": "x", "chat_template": "{{ x }}"}]},
            "messages[0].chat_template",
            400,
        ),
        ({"template": "{{ x }}"}, "template", 400),
        ({"chat_template_kwargs": {"enable": True}}, "chat_template_kwargs", 400),
        ({"add_generation_prompt": False}, "add_generation_prompt", 400),
        ({"n": 2}, "n", 400),
        ({"surprise": 1}, "surprise", 400),
        ({"model": 7}, "model", 400),
        ({"model": "../etc/passwd"}, "model", 404),
        ({"messages": []}, "messages", 400),
        ({"messages": [{"role": "wizard", "content": "x"}]}, "messages[0].role", 400),
        ({"messages": [{"role": "user", "content": 1}]}, "messages[0].content", 400),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "messages[0].content", 400),
        ({"messages": [{"role": "user", "content": "x" * 101}]}, "messages", 413),
        ({"messages": [{"role": "user", "content": ""}]}, "messages", 400),
        ({"stop": ["a"] * 5}, "stop", 400),
        ({"stop": [""]}, "stop", 400),
        ({"stream": 1}, "stream", 400),
        ({"stream_options": {"include_usage": True}}, "stream_options", 400),
        ({"max_tokens": 3, "max_completion_tokens": 4}, "max_tokens", 400),
        ({"prompt": "x"}, "prompt", 400),
    ],
)
def test_what_is_not_offered_is_refused_by_name(changes: dict[str, object], param: str, status: int) -> None:
    """SPEC 4.52, 4.148"""
    with pytest.raises(Problem) as refused:
        chat(**changes)
    assert (refused.value.param, refused.value.status) == (param, status)


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"[]", b"null", b'"x"', b"\xff", b"\xef\xbb\xbf{}", b'{"a":1,"a":2}', b"[" * 100,
        b'{"model": NaN}', b'{"seed": 99999999999999999999}', b'{"model": "\\ud800"}', b"{}{}",
        b"{'model': 1}",
    ],
)  # fmt: skip
def test_what_two_parsers_could_read_differently_is_refused(body: bytes) -> None:
    """SPEC 4.53"""
    for parse in (parse_chat, parse_completion):
        with pytest.raises(Problem) as refused:
            parse(body, {}, LIMITS)
        assert refused.value.status == 400


def test_text_parts_are_joined() -> None:
    """SPEC 4.50"""
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    parsed = chat(messages=[{"role": "developer", "content": parts}, {"role": "user", "content": "c"}])
    assert parsed.request.messages == (("system", "ab"), ("user", "c"))


def test_the_digest_tells_requests_apart_but_not_their_form() -> None:
    """SPEC 4.54"""
    plain = chat(seed=1).request.body_digest
    assert plain == chat(seed=1, stream=True, stream_options={"include_usage": True}).request.body_digest
    assert plain == chat(seed=1, user="someone").request.body_digest
    assert plain != chat(seed=2).request.body_digest
    assert plain != chat(seed=1, temperature=0.5).request.body_digest


@given(st.binary(max_size=200))
def test_no_body_makes_the_parser_fail_in_another_way(body: bytes) -> None:
    """SPEC 4.53"""
    with pytest.raises(Problem, match=r"^4"):
        parse_chat(body, {}, LIMITS)


def test_rows_of_the_datanet_are_asked_for_within_bounds() -> None:
    """SPEC 5.215"""
    assert chat().request.retrieve == chat(openledger=None).request.retrieve == 0
    assert [chat(openledger={"retrieve": n}).request.retrieve for n in (0, 1, 8)] == [0, 1, 8]
    assert chat(openledger={}).request.retrieve == 0
    assert chat(openledger={"retrieve": 2}).request.body_digest != chat().request.body_digest
    for wrong in (
        1,
        [],
        {"retrieve": 9},
        {"retrieve": -1},
        {"retrieve": True},
        {"retrieve": "2"},
        {"rows": 2},
    ):
        with pytest.raises(Problem) as refused:
            chat(openledger=wrong)
        assert refused.value.status == 400 and str(refused.value.param).startswith("openledger")
