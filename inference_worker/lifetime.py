"""Child processes that end with the one that started them, however that one ends."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress

PR_SET_PDEATHSIG = 1


def die_with(parent: int) -> None:
    """Let the kernel end this process when `parent` (a process id) does: two must never share a folder.

    Exits at once where that process is gone already. Elsewhere than on Linux only the latter is checked.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        raise SystemExit(f"parent {parent} is gone")


def guard(command: list[str]) -> int:
    """Run a command until it ends or our standard input does, and leave no process of its group; returns its
    exit code.

    For a program that leaves processes behind when it is killed. Whoever holds the other end of our input
    need not say anything: its own end is enough. Our PYTHONPATH is not the command's.
    """
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, env=environment, process_group=0)
    threading.Thread(target=_end_with_input, args=(child.pid,), daemon=True).start()
    code = child.wait()
    _kill_group(child.pid)
    return code if code >= 0 else 128 - code


def _end_with_input(group: int) -> None:
    while os.read(sys.stdin.fileno(), 4096):
        pass
    _kill_group(group)


def _kill_group(group: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(guard(sys.argv[1:]))
