"""Memory that loading took besides the adapters, as the system sees it."""

import subprocess
import sys

import pytest


@pytest.mark.skipif(sys.platform != "linux", reason="resident memory is read from /proc")
def test_memory_grows_by_the_account(tmp_path):
    """SPEC 4.221: in a process of its own, for what other tests allocated would be measured too."""
    command = [sys.executable, "-m", "tests.inference_worker.adapters.growing", str(tmp_path)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    accounted, grown = map(int, done.stdout.split())
    assert 0.9 * accounted < grown < 1.1 * accounted
