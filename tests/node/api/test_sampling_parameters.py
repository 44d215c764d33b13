"""Sampling parameters: the OpenAI names, ranges and defaults; refusals carry the name and the value."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.api.problems import Problem
from node.api.sampling_parameters import parse_sampling
from protocol.json_schema import ANY_OBJECT
from protocol.sampling import Sampling

SCHEMA = {"type": "object", "properties": {"b": {"type": "string"}, "a": {"type": "integer"}}}


def named(schema, **more):
    return {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema, **more}}


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({"temperature": 2, "top_p": 0.5}, {"temperature": 2.0, "top_p": 0.5}),
        ({"top_k": 5, "min_p": 0.1}, {"top_k": 5, "min_p": 0.1}),
        (
            {"frequency_penalty": -2, "presence_penalty": 2},
            {"frequency_penalty": -2.0, "presence_penalty": 2.0},
        ),
        ({"repetition_penalty": 1.2}, {"repetition_penalty": 1.2}),
        ({"logit_bias": {"50": 1, "7": -100}}, {"logit_bias": ((7, -100.0), (50, 1.0))}),
        ({"stop": "x"}, {"stop": ("x",)}),
        ({"logprobs": True}, {"logprobs": 0}),
        ({"logprobs": True, "top_logprobs": 20}, {"logprobs": 20}),
        ({"logprobs": False}, {}),
        ({"response_format": {"type": "text"}}, {}),
        ({"response_format": {"type": "json_object"}}, {"json_schema": ANY_OBJECT}),
        (
            {"response_format": named(SCHEMA, strict=True)},
            {"json_schema": json.dumps(SCHEMA, separators=(",", ":"))},
        ),
        (dict.fromkeys(("top_k", "min_p", "logit_bias", "logprobs", "response_format", "stop")), {}),
    ],
    ids=str,
)
def test_each_parameter_means_what_it_means_there(document, expected):
    """SPEC 4.146"""
    assert parse_sampling({"seed": 3, **document}, "chat") == Sampling(seed=3, **expected)


@pytest.mark.parametrize(("given_", "kept"), [(0, 0), (5, 5), (None, None), (False, None)])
def test_completions_take_logprobs_as_a_number(given_, kept):
    """SPEC 4.146"""
    assert parse_sampling({"seed": 3, "logprobs": given_}, "text").logprobs == kept


@pytest.mark.parametrize(
    ("form", "document", "param", "told"),
    [
        ("chat", {"top_k": -1}, "top_k", "-1"),
        ("chat", {"top_k": 2.0}, "top_k", "float"),
        ("chat", {"min_p": 1.5}, "min_p", "1.5"),
        ("chat", {"top_p": 0}, "top_p", "got 0"),
        ("chat", {"frequency_penalty": 2.5}, "frequency_penalty", "2.5"),
        ("chat", {"presence_penalty": True}, "presence_penalty", "bool"),
        ("chat", {"repetition_penalty": 0}, "repetition_penalty", "got 0"),
        ("chat", {"logit_bias": [1]}, "logit_bias", "object"),
        ("chat", {"logit_bias": {"x": 1}}, "logit_bias", "'x'"),
        ("chat", {"logit_bias": {"-1": 1}}, "logit_bias", "'-1'"),
        ("chat", {"logit_bias": {"7": 101}}, "7", "101"),
        ("chat", {"logit_bias": {"7": 1, "07": 1}}, "logit_bias", "1 of them distinct"),
        ("chat", {"logit_bias": {str(i): 1 for i in range(301)}}, "logit_bias", "301"),
        ("chat", {"logprobs": 3}, "logprobs", "true or false"),
        ("chat", {"top_logprobs": 2}, "top_logprobs", "2"),
        ("chat", {"logprobs": True, "top_logprobs": 21}, "top_logprobs", "21"),
        ("text", {"logprobs": 6}, "logprobs", "6"),
        ("text", {"logprobs": True}, "logprobs", "bool"),
        ("text", {"top_logprobs": 2}, "top_logprobs", "number"),
        ("text", {"response_format": {"type": "json_object"}}, "response_format", "json_object"),
        ("chat", {"response_format": "json"}, "response_format", "type"),
        ("chat", {"response_format": {"type": "xml"}}, "response_format", "xml"),
        ("chat", {"response_format": {"type": "json_object", "schema": {}}}, "response_format", "schema"),
        ("chat", {"response_format": {"type": "json_schema"}}, "response_format.json_schema", "object"),
        ("chat", {"response_format": named({"type": "array"})}, "response_format.json_schema", "schema.type"),
        ("chat", {"response_format": named(SCHEMA, extra=1)}, "response_format.json_schema.extra", "extra"),
        (
            "chat",
            {"response_format": named(SCHEMA, strict=1.5)},
            "response_format.json_schema.strict",
            "strict",
        ),
        ("chat", {"response_format": {"type": "json_object"}, "stop": "x"}, "stop", "1 stop"),
    ],
    ids=str,
)
def test_what_is_out_of_range_is_refused_by_name_and_value(form, document, param, told):
    """SPEC 4.51, 4.146"""
    with pytest.raises(Problem) as refused:
        parse_sampling(document, form)
    assert (refused.value.status, refused.value.param) == (400, param)
    assert told in refused.value.message


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 400) | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
)


@given(st.sampled_from(sorted(set(Sampling().to_json()) | {"top_logprobs", "response_format"})), JSON)
def test_no_value_raises_anything_but_a_problem(name, value):
    """SPEC 4.146: and what is taken, the worker takes too."""
    for form in ("chat", "text"):
        try:
            sampling = parse_sampling({name: value}, form)
        except Problem:
            continue
        assert Sampling.from_json(sampling.to_json()) == sampling
