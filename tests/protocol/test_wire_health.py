import pytest

from protocol.cid import cid_of_raw
from protocol.errors import WireError
from protocol.wire_health import AdapterInfo, BaseInfo, WorkerHealth

DIGEST = "0x" + "0" * 64
GOOD = WorkerHealth(
    "ready", BaseInfo(DIGEST, DIGEST, "base"), bytes(32), (AdapterInfo(cid_of_raw(b"").text, "resident"),), ()
).to_json()


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"base": None}, "base"),
        ({"base": {"fingerprint": "0x1", "tokenizer_digest": DIGEST, "name": ""}}, "base.fingerprint"),
        ({"adapters": [{"cid": "x", "state": "resident"}]}, "adapters[0].cid"),
        ({"status": "not ready"}, "status"),
        ({"adapters": [{"cid": cid_of_raw(b"").text}]}, "adapters[0].state"),
        ({"jobs": [1]}, "jobs[0]"),
        ({"jobs": ["a b"]}, "jobs[0]"),
        ({"profile_id": DIGEST[:-2]}, "profile_id"),
    ],
)
def test_reports_out_of_bounds_are_refused(changes, field):
    """SPEC 0.19"""
    with pytest.raises(WireError) as caught:
        WorkerHealth.from_json({**GOOD, **changes})
    assert caught.value.field == f"health.{field}"
