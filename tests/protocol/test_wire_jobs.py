import pytest

from protocol.cid import cid_of_raw
from protocol.errors import WireError
from protocol.wire_jobs import JobSpec, JobStatus

CID = cid_of_raw(b"").text
DIGEST = "0x" + "0" * 64
SPEC = JobSpec("j", 0, "training", CID, DIGEST, {"rank": 8}).to_json()
STATUS = JobStatus("j", "queued", "", 0, 0, None, None, "", None).to_json()


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"kind": "evaluation"}, "kind"),
        ({"kind": "other"}, "kind"),
        ({"recipe": {"rate": 0.1}}, "recipe"),
        ({"recipe": []}, "recipe"),
        ({"recipe": {"a": {"b": {"c": 1}}}}, "recipe"),
        ({"recipe": {"n": 2**53}}, "recipe"),
        ({"recipe": {str(n): n for n in range(65)}}, "recipe"),
        ({"base_fingerprint": "0x12"}, "base_fingerprint"),
        ({"job_id": "../x"}, "job_id"),
        ({"manifest_cid": None}, "manifest_cid"),
    ],
)
def test_specs_out_of_bounds_are_refused(changes, field):
    """SPEC 0.19"""
    with pytest.raises(WireError) as caught:
        JobSpec.from_json({**SPEC, **changes})
    assert field in caught.value.field


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"state": "done"}, "result"),
        ({"state": "running", "result": {}}, "result"),
        ({"state": "lost"}, "state"),
        ({"loss": float("inf")}, "loss"),
        ({"eta_seconds": -1}, "eta_seconds"),
        ({"step": -1}, "step"),
        ({"state": "done", "result": {"x": float("nan")}}, "result"),
        ({"step": 1.0}, "step"),
        ({"state": "done", "result": {"a": {"b": {"c": {"d": {"e": {}}}}}}}, "result"),
    ],
)
def test_statuses_out_of_bounds_are_refused(changes, field):
    """SPEC 0.19"""
    with pytest.raises(WireError) as caught:
        JobStatus.from_json({**STATUS, **changes})
    assert field in caught.value.field


def test_a_tuple_in_a_recipe_becomes_a_list():
    """SPEC 0.19"""
    spec = JobSpec("j", 0, "training", CID, DIGEST, {"target_modules": ("q", "v")})
    assert JobSpec.from_json(spec.to_json()).recipe == {"target_modules": ["q", "v"]}
