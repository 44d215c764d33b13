"""The worker's process: alive again after any death, gone with the node, and told nothing it need not
know.
"""

import asyncio
import os
import signal
import sys
from pathlib import Path

from node.serving.worker_process import WorkerPaths, WorkerProcess, worker_command, worker_environment

SLEEPER = (sys.executable, "-c", "import time; time.sleep(600)")


async def changed(worker: WorkerProcess, before: int) -> int:
    async with asyncio.timeout(20):
        while worker.pid in (None, before):  # noqa: ASYNC110 the process tells nobody
            await asyncio.sleep(0.01)
    assert worker.pid is not None
    return worker.pid


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def test_a_killed_worker_is_started_again_and_stopped_with_the_node() -> None:
    """SPEC 4.36"""
    worker = WorkerProcess(SLEEPER, restart_seconds=0.01)
    await worker.start()
    first = worker.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    second = await changed(worker, first)
    assert worker.restarts == 1
    await worker.stop()
    assert not is_alive(first)
    assert not is_alive(second)
    await worker.stop()


async def test_a_worker_that_ends_by_itself_is_started_again() -> None:
    """SPEC 4.36"""
    worker = WorkerProcess((sys.executable, "-c", "pass"), restart_seconds=0.01)
    await worker.start()
    async with asyncio.timeout(30):
        while worker.restarts < 2:  # noqa: ASYNC110 the process tells nobody
            await asyncio.sleep(0.01)
    await worker.stop()
    assert worker.pid is None


def test_a_worker_is_told_paths_and_nothing_else() -> None:
    """SPEC 4.36"""
    paths = WorkerPaths(Path("/w"), Path("/n"), Path("/t"), Path("/d"), Path("/b"))
    assert worker_command(paths)[:3] == (sys.executable, "-m", "inference_worker")
    secrets = {"OPENLEDGER_NODE_PASSWORD_FILE": "x", "PRIVATE_KEY": "y", "OPENLEDGER_CHAIN_RPC_URL": "z"}
    kept = worker_environment({**secrets, "PATH": "/bin", "CUDA_VISIBLE_DEVICES": "0"})
    assert kept["PATH"] == "/bin"
    assert kept["CUDA_VISIBLE_DEVICES"] == "0"
    assert not secrets.keys() & kept.keys()


async def test_what_the_worker_prints_goes_to_its_file(tmp_path: Path) -> None:
    """SPEC 4.36: its lines never mix with the node's own output."""
    printed = tmp_path / "worker.log"
    worker = WorkerProcess((sys.executable, "-c", "print('loaded')"), 60.0, printed)
    await worker.start()
    assert worker._child is not None
    await asyncio.wait_for(worker._child.wait(), 20)
    await worker.stop()
    assert printed.read_text() == "loaded\n"
