"""A named failpoint stops the process there, at the asked arrival, and nowhere else."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from node.failpoints import VARIABLE, FailpointReached, failpoint

ROOT = Path(__file__).resolve().parents[2]
WALK = """
from node.failpoints import failpoint
for place in range(3):
    for name in ("first", "second"):
        print(name, place, flush=True)
        failpoint(name)
"""
EVERY = ["first 0", "second 0", "first 1", "second 1", "first 2", "second 2"]


@pytest.mark.parametrize(
    ("wanted", "reached"),
    [("", 6), ("other", 6), ("first", 1), ("second", 2), ("first:kill:2", 3), ("second:kill:3", 6)],
)
def test_the_process_dies_at_the_named_point(wanted: str, reached: int) -> None:
    """SPEC 0.59"""
    env = {**os.environ, VARIABLE: wanted}
    done = subprocess.run(
        [sys.executable, "-c", WALK], cwd=ROOT, env=env, capture_output=True, text=True, timeout=60
    )
    assert done.stdout.splitlines() == EVERY[:reached]
    killed = wanted not in ("", "other")
    assert done.returncode == (-signal.SIGKILL if killed else 0)


def test_a_point_can_raise_instead(monkeypatch: pytest.MonkeyPatch) -> None:
    """SPEC 0.59"""
    monkeypatch.setenv(VARIABLE, "raising.here:raise")
    failpoint("elsewhere")
    with pytest.raises(FailpointReached):
        failpoint("raising.here")
    failpoint("raising.here")
