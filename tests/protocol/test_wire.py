"""Every message: reads back, and refuses each field's absence, a stranger, and each field of another type."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol import wire
from protocol.attribution import Lane, LaneUnits
from protocol.canonical import parse_json
from protocol.cid import cid_of_raw
from protocol.context import Context, ContextRow, PlacedRow
from protocol.errors import WireError
from protocol.retrieval import Ablations, Null
from protocol.spans import Match
from tests.protocol.records import json_values

CID = cid_of_raw(b"blob").text
DIGEST = "0x" + "ab" * 32

CONTEXT = Context(1, 8, (PlacedRow(3, 2, 4), PlacedRow(1, 4, 6)))

MESSAGES = {
    "generate": wire.GenerateRequest(
        "0x01", 1, CID, (("user", "hi"),), None, None, 5, wire.Sampling(seed=7, stop=("\n",)), "0xab"
    ),
    "generate by ids": wire.GenerateRequest("r", 1, None, None, None, (1, 2), 5, wire.Sampling()),
    "token": wire.TokenEvent(0, 17, " E11"),
    "token with scores": wire.TokenEvent(
        0, 17, "", wire.TokenScores(wire.ScoredToken(17, -0.25, b"\xe4"), (wire.ScoredToken(3, 0.0, b""),))
    ),
    "done": wire.GenerateResult((1, 2), (3,), "x", "stop", bytes(32)),
    "error": wire.ErrorEvent("busy", "later"),
    "tokenize": wire.TokenizeRequest(None, "text"),
    "generate with rows": wire.GenerateRequest(
        "r",
        1,
        CID,
        None,
        "text",
        None,
        5,
        wire.Sampling(),
        context=(ContextRow(3, "a row"), ContextRow(1, "b")),
    ),
    "done with rows": wire.GenerateResult((1,) * 9, (3,), "x", "stop", bytes(32), CONTEXT),
    "tokenize with rows": wire.TokenizeRequest(None, "text", (ContextRow(3, "a row"),)),
    "attribute with rows": wire.AttributeRequest(
        "r", 2, CID, CID, CID, (1,) * 9, (2, 3), 6, (Lane.GRADIENT, Lane.SPAN, Lane.RETRIEVAL), CONTEXT
    ),
    "attributed with rows": wire.AttributeResult(
        b"\1" * 32,
        (LaneUnits(Lane.RETRIEVAL, ((3, 10),), 5, True),),
        (),
        ("a",),
        Ablations(-5, ((0, -4), (1, -2)), (Null(7, 0, -3, -3),)),
    ),
    "tokenized": wire.TokenizeResult((1, 2, 3)),
    "attribute": wire.AttributeRequest("r", 2, CID, CID, CID, (1,), (2, 3), 6, (Lane.SPAN, Lane.GRADIENT)),
    "attributed": wire.AttributeResult(
        b"\1" * 32,
        (LaneUnits(Lane.GRADIENT, ((3, 10),), 5, True), LaneUnits(Lane.SPAN, (), 0, False)),
        (Match(0, 2, 3, 1),),
        ("a", "b"),
    ),
    "job": wire.JobSpec(
        "j-1", 1, "training", CID, DIGEST, {"rank": 8, "target_modules": ["q"], "learning_rate": "2e-4"}
    ),
    "evaluation": wire.JobSpec("j-2", 1, "evaluation", CID, DIGEST, {}, CID, CID),
    "status": wire.JobStatus("j-1", "running", "pass 1", 3, 10, 2.5, None, "", None),
    "status done": wire.JobStatus(
        "j-1", "done", "done", 9, 9, None, 0.0, "", {"bundle_cid": CID, "evaluation": {"mrr_ppm": 5}}
    ),
    "health": wire.WorkerHealth(
        "ready",
        wire.BaseInfo(DIGEST, DIGEST, "base"),
        bytes(32),
        (wire.AdapterInfo(CID, "resident"),),
        ("j-1",),
    ),
}
MAY_BE_LEFT_OUT = (
    "adapter_cid",
    "tenant",
    "held_out_cid",
    "loss",
    "eta_seconds",
    "scores",
    "context",
    "ablations",
)
named = pytest.mark.parametrize("name", MESSAGES)


@named
def test_messages_read_back_through_strict_json(name):
    """SPEC 0.19"""
    message = MESSAGES[name]
    sent = json.dumps(message.to_json()).encode()
    assert type(message).from_json(parse_json(sent)) == message
    assert message.to_json()["v"] == wire.VERSION == 1


@named
def test_unknown_fields_and_other_versions_are_refused(name):
    """SPEC 0.19"""
    message = MESSAGES[name]
    for change in ({"surprise": 1}, {"v": 2}, {"v": "1"}, {"v": True}):
        with pytest.raises(WireError) as caught:
            type(message).from_json({**message.to_json(), **change})
        assert caught.value.field.endswith(next(iter(change)))


@named
def test_missing_and_mistyped_fields_are_refused_by_name(name):
    """SPEC 0.19"""
    message = MESSAGES[name]
    good = message.to_json()
    for field, value in good.items():
        for wrong in ({"nested": object()}, 1.5j, b"bytes"):
            with pytest.raises(WireError) as caught:
                type(message).from_json({**good, field: wrong})
            assert field in caught.value.field
        if value is not None:
            rest = {key: item for key, item in good.items() if key != field}
            try:
                type(message).from_json(rest)
            except WireError:
                continue
            assert field in MAY_BE_LEFT_OUT, f"{field} may be left out"


@named
@settings(max_examples=30)
@given(st.data())
def test_no_value_raises_anything_but_a_wire_error(name, data):
    """SPEC 0.19"""
    message = MESSAGES[name]
    good = message.to_json()
    field = data.draw(st.sampled_from(sorted(good)))
    value = data.draw(
        json_values() | st.sampled_from([2**53, -1, 1e308, "x" * 10, [[1, 2, 3]], [{}], {"a": {"b": []}}])
    )
    try:
        read = type(message).from_json({**good, field: value})
    except WireError:
        return
    assert type(message).from_json(read.to_json()) == read


@pytest.mark.parametrize("value", [None, [], "x", 5, True])
def test_a_message_is_an_object(value):
    """SPEC 0.19"""
    for message in MESSAGES.values():
        with pytest.raises(WireError):
            type(message).from_json(value)
