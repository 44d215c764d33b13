"""The id under which vLLM's answers go: its own, and marked as nothing that a replay could hold it to."""

import sys
from pathlib import Path

import pytest

from inference_worker.engine import profile as torch_profile
from inference_worker.errors import BackendUnavailable
from inference_worker.vllm.profile import installed, profile_id
from protocol.hashing import from_hex
from protocol.profile import is_repeatable

KNOWN = ({"vllm": "1", "torch": "2"}, "float32", 1, 16, ())


def of(*changed):
    return from_hex(profile_id(*changed), 32)


def test_answers_of_vllm_have_a_profile_that_says_it_is_not_repeatable():
    """SPEC 4.199"""
    assert not is_repeatable(of(*KNOWN))
    assert is_repeatable(from_hex(torch_profile.profile_id("test", 64, 256), 32))


@pytest.mark.parametrize(
    ("place", "other"), [(0, {"vllm": "2"}), (1, "bfloat16"), (2, 2), (3, 32), (4, ("-a",))]
)
def test_whatever_changes_the_arithmetic_changes_the_id(place, other):
    changed = [*KNOWN]
    changed[place] = other
    assert of(*changed) != of(*KNOWN) == of(*KNOWN)


def test_an_environment_without_vllm_is_named(tmp_path):
    """SPEC 4.199"""
    with pytest.raises(BackendUnavailable, match="has no vLLM"):
        installed(Path(sys.executable))
    with pytest.raises(BackendUnavailable, match="tells no versions"):
        installed(tmp_path / "absent")
