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


GROUP = (
    "import subprocess, sys, time\n"
    "left = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
    "print(left.pid, flush=True)\n"
)


@pytest.mark.parametrize("ending", ["its own", "the parent's"])
def test_a_guarded_program_leaves_no_process_behind(ending: str) -> None:
    """SPEC 4.199: whether it ends by itself, leaving one, or who started it does."""
    body = GROUP + ("sys.exit(3)" if ending == "its own" else "time.sleep(600)")
    command = [sys.executable, "-m", "inference_worker.lifetime", sys.executable, "-c", body]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as guard:
        assert guard.stdin is not None and guard.stdout is not None
        left = int(guard.stdout.readline())
        if ending == "the parent's":
            guard.stdin.close()
        assert guard.wait(60) == (3 if ending == "its own" else 128 + 9)
    assert eventually_gone(left)
