import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from inference_worker.lifetime import die_with

CHILD = (
    "import sys, time\n"
    "from inference_worker.lifetime import die_with\n"
    "die_with(int(sys.argv[1]))\n"
    "print('up', flush=True)\n"
    "time.sleep(600)\n"
)
PARENT = (
    "import os, subprocess, sys\n"
    f"command = [sys.executable, '-c', {CHILD!r}, str(os.getpid())]\n"
    "child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)\n"
    "assert child.stdout.readline() == 'up\\n'\n"
    "print(child.pid, flush=True)\n"
    "os.kill(os.getpid(), 9)\n"
)


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's parent-death signal is Linux's")
def test_a_child_ends_when_its_parent_is_killed() -> None:
    """SPEC 4.80: a worker does not outlive the node that started it."""
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-c", PARENT], capture_output=True, text=True, timeout=60, cwd=root
    )
    assert done.returncode == -9, done.stderr
    assert eventually_gone(int(done.stdout))


def eventually_gone(pid: int) -> bool:
    """Gone, or a zombie that nobody reaps: in no case still at work. The signal takes a moment to arrive."""
    stat = Path(f"/proc/{pid}/stat")
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            if stat.read_text().rpartition(")")[2].split()[0] in "ZX":
                return True
        except OSError:
            return True
        time.sleep(0.01)
    return False


def test_a_child_of_somebody_else_does_not_start() -> None:
    with pytest.raises(SystemExit, match="is gone"):
        die_with(os.getpid())
