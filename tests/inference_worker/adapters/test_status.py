"""The snapshot: each adapter once, in the state that matters most, and the bytes of its tiers."""

from inference_worker.adapters.residency import Resident
from inference_worker.adapters.status import TierStatus
from inference_worker.metrics import HELP

STATUS = TierStatus(
    host={"a": Resident(10, 2, True), "b": Resident(20), "c": Resident(5, 1)},
    host_budget=100,
    host_used=35,
    disk={"b": 24, "d": 34, "q": 11},
    disk_quota=200,
    disk_used=69,
    loading=frozenset({"c"}),
    requests={"a": 7, "e": 0, "f": 3},
    refused={"q": ("code_q", "why q")},
    failed={"f": ("code_f", "why f")},
)


def test_every_adapter_is_there_once_in_its_state():
    """SPEC 4.109"""
    states = {row.cid: row.state for row in STATUS.rows()}
    assert states == {
        "a": "resident", "b": "resident", "c": "loading", "d": "cached", "e": "registered", "f": "failed",
        "q": "quarantined",
    }  # fmt: skip
    assert len(STATUS.rows()) == 7
    assert [row.cid for row in STATUS.serving()] == ["a", "b", "c", "q"]


def test_rows_carry_bytes_holds_and_reasons():
    """SPEC 4.109"""
    rows = {row.cid: row for row in STATUS.rows()}
    a, b, q = rows["a"], rows["b"], rows["q"]
    assert (a.host_bytes, a.disk_bytes, a.leases, a.pinned, a.requests) == (10, 0, 2, True, 7)
    assert (b.host_bytes, b.disk_bytes, b.leases, b.pinned) == (20, 24, 0, False)
    assert (q.code, q.reason, q.disk_bytes) == ("code_q", "why q", 11)
    assert sum(row.host_bytes for row in rows.values()) == STATUS.host_used
    assert sum(row.disk_bytes for row in rows.values()) == STATUS.disk_used


def test_gauges_are_known_metrics():
    """SPEC 4.81, 4.109"""
    gauges = STATUS.gauges()
    assert set(gauges) <= set(HELP)
    assert gauges["adapter_bytes"] == 35 and gauges["adapters_registered"] == 3
