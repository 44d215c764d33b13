"""The inference worker as a child process: started with the node, started again when it dies, stopped with
the node.

Only the process that this object started is ever signalled. The worker gets no key and no chain URL: a
socket path, a token file and two folders are all it is told.
"""

import asyncio
import os
import sys
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

from node.log import get_logger
from node.service import backoff_seconds

log = get_logger("worker_process")

STOP_SECONDS = 10.0
# What a child inherits: enough for Python and torch, none of the node's own variables.
INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "LD_LIBRARY_PATH", "VIRTUAL_ENV", "PYTHONPATH")
INHERITED_PREFIXES = ("OMP_", "MKL_", "CUDA_", "NVIDIA_", "TORCH", "PYTORCH_", "NCCL_", "VLLM_")


@dataclass(frozen=True)
class WorkerPaths:
    """Where the worker listens, where it finds the node, and its folders."""

    socket: Path
    node_socket: Path
    token_file: Path
    data_dir: Path
    base_dir: Path


def worker_command(paths: WorkerPaths) -> tuple[str, ...]:
    """The command line of a worker that ends with this process, under this interpreter."""
    return (*lone_worker_command(paths), "--parent", str(os.getpid()))


def lone_worker_command(paths: WorkerPaths) -> tuple[str, ...]:
    """The command line of a worker that ends when it is told to."""
    return (
        sys.executable, "-m", "inference_worker",
        "--socket", str(paths.socket), "--node-socket", str(paths.node_socket),
        "--token-file", str(paths.token_file), "--data", str(paths.data_dir), "--base", str(paths.base_dir),
    )  # fmt: skip


def worker_environment(environment: dict[str, str]) -> dict[str, str]:
    """The part of `environment` that a worker needs; never the node's own settings."""
    kept = {
        name: value
        for name, value in environment.items()
        if name in INHERITED or name.startswith(INHERITED_PREFIXES)
    }
    return {**kept, "HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}


class WorkerProcess:
    """A service that keeps one child alive."""

    name = "worker_process"

    def __init__(
        self, command: tuple[str, ...], restart_seconds: float = 1.0, output: Path | None = None
    ) -> None:
        """`output` is the file that what the child prints is added to; None leaves it on our own."""
        self._command = command
        self._output = output
        self._restart_seconds = restart_seconds
        self._child: asyncio.subprocess.Process | None = None
        self._keeper: asyncio.Task[None] | None = None
        self.restarts = 0

    @property
    def pid(self) -> int | None:
        """The child's process id while it runs."""
        child = self._child
        return child.pid if child is not None and child.returncode is None else None

    async def start(self) -> None:
        if self._keeper is None:
            await self._spawn()
            self._keeper = asyncio.create_task(self._keep_alive(), name=self.name)

    async def stop(self) -> None:
        """Ask the child to end, wait, and kill it only if it does not."""
        keeper, self._keeper = self._keeper, None
        if keeper is not None:
            keeper.cancel()
            await asyncio.gather(keeper, return_exceptions=True)
        child, self._child = self._child, None
        if child is None or child.returncode is not None:
            return
        with suppress(ProcessLookupError):
            child.terminate()
        try:
            await asyncio.wait_for(child.wait(), STOP_SECONDS)
        except TimeoutError:
            with suppress(ProcessLookupError):
                child.kill()
            await child.wait()

    async def _spawn(self) -> None:
        with ExitStack() as opened:
            printed = None if self._output is None else opened.enter_context(self._output.open("ab"))
            self._child = await asyncio.create_subprocess_exec(
                *self._command,
                env=worker_environment(dict(os.environ)),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=printed,
                stderr=printed,
            )
        log.info("worker_started", pid=self._child.pid)

    async def _keep_alive(self) -> None:
        failures = 0
        loop = asyncio.get_running_loop()
        while True:
            child = self._child
            started = loop.time()
            if child is not None:
                code = await child.wait()
                # A worker that served for a while did not fail at start: begin the backoff anew.
                failures = 1 if loop.time() - started > 60 else failures + 1
                log.warning("worker_died", code=code, failures=failures)
            await asyncio.sleep(backoff_seconds(self._restart_seconds, failures))
            self.restarts += 1
            await self._spawn()
