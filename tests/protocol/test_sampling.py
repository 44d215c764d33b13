"""The sampling record: its bounds, and that its digest binds every field that can change an answer."""

from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.chain.keccak import keccak
from protocol.errors import WireError
from protocol.json_schema import ANY_OBJECT
from protocol.sampling import MAX_BIASES, MAX_STOPS, Sampling, sampling_digest

OTHER = {
    "temperature": 0.5,
    "top_p": 0.5,
    "seed": 1,
    "stop": ("x",),
    "top_k": 1,
    "min_p": 0.5,
    "frequency_penalty": 0.5,
    "presence_penalty": 0.5,
    "repetition_penalty": 1.5,
    "logit_bias": ((0, 0.5),),
    "json_schema": ANY_OBJECT,
    "logprobs": 0,
}


def test_the_digest_binds_every_field_but_logprobs():
    """SPEC 6.5"""
    assert set(OTHER) == {field.name for field in fields(Sampling)}
    same = replace(Sampling(), logprobs=OTHER["logprobs"])
    assert sampling_digest(same, 9, keccak) == sampling_digest(Sampling(), 9, keccak)
    changed = [replace(Sampling(), **{name: value}) for name, value in OTHER.items() if name != "logprobs"]
    digests = {sampling_digest(one, 9, keccak) for one in [Sampling(), *changed]}
    assert len(digests) == len(OTHER)
    assert sampling_digest(Sampling(), 10, keccak) not in digests


@given(st.lists(st.text(min_size=1, max_size=3), max_size=4), st.lists(st.text(min_size=1, max_size=3)))
def test_the_digest_tells_lists_of_stops_apart(one, other):
    """SPEC 6.5"""
    digests = [sampling_digest(Sampling(stop=tuple(stop)), 9, keccak) for stop in (one, other)]
    assert (digests[0] == digests[1]) == (one == other)


def test_minus_zero_is_zero():
    """SPEC 6.5: both give the same answer."""
    minus = Sampling(temperature=-0.0, logit_bias=((1, -0.0),))
    zero = Sampling(temperature=0.0, logit_bias=((1, 0.0),))
    assert sampling_digest(minus, 9, keccak) == sampling_digest(zero, 9, keccak)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("temperature", 2.1),
        ("temperature", float("nan")),
        ("top_p", -0.1),
        ("seed", 2**53),
        ("stop", ["x"] * (MAX_STOPS + 1)),
        ("stop", [""]),
        ("stop", ["x" * 257]),
        ("top_k", -1),
        ("top_k", 2**20 + 1),
        ("top_k", 1.0),
        ("min_p", 1.01),
        ("frequency_penalty", 2.01),
        ("presence_penalty", -2.01),
        ("repetition_penalty", 0.0),
        ("repetition_penalty", 10.1),
        ("logit_bias", [{"id": 1, "bias": 100.1}]),
        ("logit_bias", [{"id": 2, "bias": 1}, {"id": 1, "bias": 1}]),
        ("logit_bias", [{"id": 1, "bias": 1}, {"id": 1, "bias": 2}]),
        ("logit_bias", [{"id": i, "bias": 1} for i in range(MAX_BIASES + 1)]),
        ("logit_bias", [{"id": 1, "bias": 1, "x": 1}]),
        ("json_schema", "{"),
        ("json_schema", '{"type":"array"}'),
        ("logprobs", 21),
        ("logprobs", -1),
    ],
)
def test_values_out_of_bounds_are_refused_by_name(field, value):
    """SPEC 0.19"""
    with pytest.raises(WireError, match=field):
        Sampling.from_json({**Sampling().to_json(), field: value})


def test_stop_strings_and_a_schema_exclude_each_other():
    """SPEC 4.143"""
    with pytest.raises(WireError, match="1 stop strings"):
        Sampling.from_json(Sampling(stop=("x",), json_schema=ANY_OBJECT).to_json())


@pytest.mark.parametrize("name", OTHER)
def test_a_record_reads_back(name):
    """SPEC 0.19"""
    one = replace(Sampling(), **{name: OTHER[name]})
    assert Sampling.from_json(one.to_json()) == one
