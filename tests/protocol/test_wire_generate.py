import pytest

from protocol.errors import WireError
from protocol.sampling import Sampling
from protocol.wire_fields import MAX_TOKENS
from protocol.wire_generate import MAX_MESSAGES, GenerateRequest, GenerateResult, TokenizeRequest

GOOD = GenerateRequest("r", 0, None, (("user", "hi"),), None, None, 1, Sampling()).to_json()


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"prompt": "x"}, "prompt"),
        ({"messages": None}, "prompt"),
        ({"messages": []}, "prompt"),
        ({"messages": [{"role": "tool", "content": ""}]}, "role"),
        ({"messages": [{"role": "user"}]}, "content"),
        ({"messages": [{"role": "user", "content": "", "name": "x"}]}, "name"),
        ({"messages": [{"role": "user", "content": ""}] * (MAX_MESSAGES + 1)}, "messages"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": -5}, "max_tokens"),
        ({"max_tokens": MAX_TOKENS + 1}, "max_tokens"),
        ({"sampling": None}, "sampling"),
        ({"sampling": {**Sampling().to_json(), "top_p": 1.1}}, "sampling.top_p"),
        ({"stream": False}, "stream"),
        ({"adapter_cid": "Qm"}, "adapter_cid"),
        ({"request_id": "a b"}, "request_id"),
        ({"request_id": ""}, "request_id"),
        ({"fence": -1}, "fence"),
        ({"tenant": ""}, "tenant"),
        ({"tenant": "a b"}, "tenant"),
        ({"tenant": "x" * 129}, "tenant"),
    ],
)
def test_requests_out_of_bounds_are_refused(changes, field):
    """SPEC 0.19"""
    with pytest.raises(WireError) as caught:
        GenerateRequest.from_json({**GOOD, **changes})
    assert field in caught.value.field


def test_prompt_ids_are_for_generate_alone():
    """SPEC 0.19"""
    by_ids = {**GOOD, "messages": None, "prompt_ids": [1]}
    assert GenerateRequest.from_json(by_ids).prompt_ids == (1,)
    with pytest.raises(WireError):
        TokenizeRequest.from_json({"v": 1, "messages": None, "prompt": None, "prompt_ids": [1]})


@pytest.mark.parametrize(
    "changes", [{"finish_reason": "tired"}, {"output_ids": [2**32]}, {"profile_id": "0x"}]
)
def test_results_out_of_bounds_are_refused(changes):
    """SPEC 0.19"""
    good = GenerateResult((1,), (2,), "", "length", bytes(32)).to_json()
    with pytest.raises(WireError) as caught:
        GenerateResult.from_json({**good, **changes})
    assert next(iter(changes)) in caught.value.field
