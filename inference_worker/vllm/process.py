"""The vLLM server as a child: its command line, its environment, and one life of it at a time.

It listens on a Unix socket that only this user may open, asks for a key, and ends with this process.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import structlog

from inference_worker.errors import BackendUnavailable
from inference_worker.vllm.client import VllmClient
from protocol.sampling import MAX_LOGPROBS

log = structlog.get_logger()

# Never sent: rows of the base alone go out as an adapter of zeros.
BASE_NAME = "base"
_POLL_SECONDS = 0.1
_TAIL_BYTES = 2000


@dataclass(frozen=True)
class Launch:
    """How vLLM is started: `slots` adapters in one step, `held` in memory, ranks up to `rank`; `flags` go to
    vLLM as they are, but cannot undo ours."""

    python: Path
    base: Path
    socket: Path
    log: Path
    dtype: str
    positions: int
    running: int
    threads: int
    slots: int
    held: int
    rank: int
    flags: tuple[str, ...] = ()
    start_seconds: float = 600.0


def command_of(launch: Launch) -> tuple[str, ...]:
    """The command line. Of a flag given twice vLLM takes the last, so ours follow the operator's."""
    ours = {
        "model": launch.base,
        "served-model-name": BASE_NAME,
        "dtype": launch.dtype,
        "max-model-len": launch.positions,
        "max-num-seqs": launch.running,
        "max-loras": launch.slots,
        "max-cpu-loras": launch.held,
        "max-lora-rank": launch.rank,
        "max-logprobs": MAX_LOGPROBS,
        "logprobs-mode": "raw_logprobs",
        "generation-config": "vllm",
        "uvicorn-log-level": "warning",
        "uds": launch.socket,
    }
    return (
        str(launch.python), "-P", "-m", "vllm.entrypoints.openai.api_server", *launch.flags, "--enable-lora",
        *(f"--{name}={value}" for name, value in ours.items()),
    )  # fmt: skip


def environment_of(inherited: Mapping[str, str], key: str, threads: int) -> dict[str, str]:
    """What vLLM sees: the key is not on the command line, and no client's word becomes a path."""
    kept = {name: value for name, value in inherited.items() if not name.startswith("VLLM_LORA_RESOLVER")}
    return {
        "VLLM_CPU_KVCACHE_SPACE": "1",
        "VLLM_CPU_OMP_THREADS_BIND": "nobind",
        **kept,
        "VLLM_API_KEY": key,
        "VLLM_ALLOW_RUNTIME_LORA_UPDATING": "1",
        "VLLM_NO_USAGE_STATS": "1",
        "HF_HUB_OFFLINE": "1",
        "OMP_NUM_THREADS": str(threads),
    }


class VllmProcess:
    """A vLLM server that can be started again after it ended. Belongs to one event loop."""

    def __init__(self, launch: Launch, key: str) -> None:
        self.launch, self._key = launch, key
        self._child: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int | None:
        """The process id of its guard while it runs."""
        return None if self._child is None or self._child.returncode is not None else self._child.pid

    async def start(self, client: VllmClient) -> None:
        """Start it and return when it answers; raises BackendUnavailable with the end of its log."""
        self.launch.socket.unlink(missing_ok=True)
        self.launch.log.parent.mkdir(parents=True, exist_ok=True)
        if self.launch.log.exists():
            # What the one before said stays for whoever asks why it ended.
            self.launch.log.replace(self.launch.log.with_suffix(".last"))
        guarded = (sys.executable, "-m", "inference_worker.lifetime", *command_of(self.launch))
        with self.launch.log.open("wb") as printed:
            self._child = await asyncio.create_subprocess_exec(
                *guarded,
                env=environment_of(os.environ, self._key, self.launch.threads),
                stdin=asyncio.subprocess.PIPE,
                stdout=printed,
                stderr=printed,
                start_new_session=True,
                umask=0o077,
            )
        log.info("vllm_started", pid=self._child.pid)
        try:
            async with asyncio.timeout(self.launch.start_seconds):
                await self._answering(client)
        except TimeoutError:
            self.kill()
            await self.wait()
            raise BackendUnavailable(f"vLLM is not up after {self.launch.start_seconds:g} seconds") from None

    async def _answering(self, client: VllmClient) -> None:
        while not await client.is_up():
            if self.pid is None:
                code = await self.wait()
                raise BackendUnavailable(f"vLLM ended with {code} while starting: {self._tail()}")
            await asyncio.sleep(_POLL_SECONDS)

    async def wait(self) -> int:
        """Return its exit code when it has ended, and everything that it started with it."""
        assert self._child is not None
        return await self._child.wait()

    def kill(self) -> None:
        """End it at once, whatever it is doing."""
        # Its guard waits for the end of its input; vLLM's own processes would outlive a killed parent.
        if self._child is not None and self._child.stdin is not None:
            self._child.stdin.close()

    async def stop(self) -> None:
        """End it; there is nothing in it to save."""
        if self._child is not None:
            self.kill()
            await self.wait()
            self.launch.socket.unlink(missing_ok=True)

    def _tail(self) -> str:
        with suppress(OSError):
            return self.launch.log.read_bytes()[-_TAIL_BYTES:].decode("utf-8", "replace")
        return "its log cannot be read"
