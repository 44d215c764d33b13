import pytest

from protocol.cid import cid_of_raw
from protocol.ensemble import Member, ensemble_of, members_json
from protocol.errors import WireError
from protocol.sampling import Sampling
from protocol.wire_fields import MAX_TOKENS
from protocol.wire_generate import MAX_MESSAGES, GenerateRequest, GenerateResult, TokenizeRequest

CID, OTHER = (cid_of_raw(data).text for data in (b"a", b"b"))
PAIR = ensemble_of([Member(CID, 400_000), Member(OTHER, 600_000)])
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
        ({"ensemble": []}, "ensemble"),
        ({"ensemble": [{"cid": CID, "ppm": 1_000_000}]}, "ensemble"),
        ({"ensemble": [{"cid": CID, "ppm": 500_000}] * 2}, "ensemble"),
        ({"ensemble": [{"cid": CID}]}, "ensemble[0].ppm"),
        ({"ensemble": [{"cid": CID, "ppm": 0.5}]}, "ensemble[0].ppm"),
        ({"ensemble": [{"cid": CID, "ppm": 1}] * 9}, "ensemble"),
        ({"ensemble": members_json(PAIR), "adapter_cid": CID}, "ensemble"),
    ],
)
def test_requests_out_of_bounds_are_refused(changes, field):
    """SPEC 0.19"""
    with pytest.raises(WireError) as caught:
        GenerateRequest.from_json({**GOOD, **changes})
    assert field in caught.value.field


def test_members_may_be_listed_in_any_order():
    """SPEC 4.213"""
    listed = members_json(PAIR)
    for order in (listed, listed[::-1]):
        request = GenerateRequest.from_json({**GOOD, "ensemble": order})
        assert request.ensemble == PAIR
        assert GenerateRequest.from_json(request.to_json()) == request


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
