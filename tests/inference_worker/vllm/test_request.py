"""The mapping of a job to vLLM's request, and what is refused instead of approximated."""

import pytest

from inference_worker.errors import RequestInvalid
from inference_worker.vllm.request import check_params, request_body
from tests.inference_worker.engine.requests import sampled

PROMPT = (5, 6, 7)


def body(tenant="t", model="cid", **params):
    settings = sampled(max_tokens=9, **params)
    check_params(settings)
    return request_body(model, PROMPT, settings, (257, 2), tenant)


def test_every_field_has_its_name_in_vllm():
    """SPEC 4.195"""
    asked = body(
        temperature=0.7, top_p=0.9, top_k=40, seed=2**53 - 1, frequency_penalty=0.5, presence_penalty=-0.5,
        repetition_penalty=1.25, logprobs=3,
    )  # fmt: skip
    assert asked.pop("cache_salt")
    assert asked == {
        "model": "cid", "prompt": [5, 6, 7], "max_tokens": 9, "stream": True, "logprobs": 3,
        "return_tokens_as_token_ids": True, "ignore_eos": True, "stop_token_ids": [2, 257],
        "temperature": 0.7, "frequency_penalty": 0.5, "presence_penalty": -0.5, "repetition_penalty": 1.25,
        "logit_bias": None, "top_p": 0.9, "top_k": 40, "min_p": 0.0, "seed": 2**53 - 1,
    }  # fmt: skip


@pytest.mark.parametrize("temperature", [0.0, 0.00009])
def test_what_is_greedy_to_us_is_greedy_to_vllm(temperature):
    """SPEC 4.195: then no draw is asked for, and nothing that shapes one can be refused."""
    asked = body(temperature=temperature, top_p=0.0, min_p=0.5)
    assert asked["temperature"] == 0.0 and asked.keys().isdisjoint({"top_p", "top_k", "min_p", "seed"})


def test_stop_strings_stay_here_and_every_token_is_scored():
    """SPEC 4.198: the logprob is what shows a NaN, asked for or not."""
    asked = body(stop=("\n\n", "</s>"))
    assert "stop" not in asked and asked["logprobs"] == 0


def test_biases_are_told_by_token():
    assert body(logit_bias=((3, -100.0), (9, 4.5)))["logit_bias"] == {"3": -100.0, "9": 4.5}


def test_tenants_do_not_share_prompts():
    """SPEC 4.196: a salt for each tenant, which does not tell who it is."""
    salts = [body(tenant=tenant)["cache_salt"] for tenant in ("a", "b", "a", "é" * 128)]
    assert salts[0] == salts[2] and len(set(salts)) == 3
    assert {len(salt) for salt in salts} == {64}


@pytest.mark.parametrize(
    ("field", "params"),
    [
        ("json_schema", {"json_schema": "{}"}),
        ("temperature", {"temperature": 1e-4}),
        ("temperature", {"temperature": 0.0099}),
        ("top_p", {"temperature": 1.0, "top_p": 0.0}),
        ("min_p", {"temperature": 1.0, "top_p": 0.9, "min_p": 0.1}),
        ("logit_bias", {"repetition_penalty": 1.1, "logit_bias": ((1, 1.0),)}),
    ],
)
def test_what_vllm_computes_otherwise_is_refused_by_name(field, params):
    """SPEC 4.195"""
    with pytest.raises(RequestInvalid) as refused:
        body(**params)
    assert refused.value.field == field
