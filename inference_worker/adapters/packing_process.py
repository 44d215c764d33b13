"""Checks and packs adapters in a process of its own.

Reading some hundreds of small tensors is mostly Python, and Python in another thread holds up the step loop
by the interpreter's lock. And whatever an adapter's bytes do to those who read them, the streams go on: a
process that dies fails one load, and the next load starts another.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

import structlog
import torch

from inference_worker.adapters.disk import ASIDE, DiskTier
from inference_worker.adapters.ingest import WEIGHTS_FILE
from inference_worker.adapters.packed_file import Mark, mark_of, read_packed, write_all, write_packed
from inference_worker.adapters.packer import Loaded, PackerHere, PackingRules, Part, packed_from
from inference_worker.adapters.packing import PackedAdapter
from inference_worker.errors import WorkerError
from inference_worker.lone_process import LoneProcess, ProcessDied
from protocol.cid import parse_cid

log = structlog.get_logger()


class PackingProcessDied(WorkerError):
    """The process ended while it packed."""

    code = "packing_process_died"

    def __init__(self, cid: str) -> None:
        super().__init__(f"the process that packs adapters ended while it had {cid}; ask again")
        self.cid = cid


@dataclass(frozen=True)
class PackingTask:
    """Parts of an adapter, each but for its weights, which are the file at the same place of `weights`; and
    the packed file to be made of them for the base `made_for`."""

    cid: str
    parts: tuple[Part, ...]
    weights: tuple[Path, ...]
    rules: PackingRules
    path: Path
    made_for: str


@dataclass(frozen=True)
class Written:
    """A packed file that is there now, and the seconds of the processor that it took."""

    mark: Mark
    seconds: float


class PackingProcess:
    """One process, begun when it is made and begun anew when it has died. Safe to use from any thread.

    The first is a fork of this one: make it before there are other threads.
    """

    def __init__(self) -> None:
        self._apart = LoneProcess("fork", torch.set_num_threads, 1)

    def write(self, task: PackingTask) -> Written:
        """Have a packed file written; raises AdapterRefused, PackingProcessDied, OSError."""
        try:
            return self._apart.run(_write, task)
        except (ProcessDied, RuntimeError) as error:
            raise PackingProcessDied(task.cid) from error

    def close(self) -> None:
        """End the process, after the adapter that it has; loads that wait for it fail."""
        self._apart.close()


class PackerApart:
    """Packs in a packing process, into files that `disk` can keep; here, while the disk takes no file."""

    def __init__(self, rules: PackingRules, process: PackingProcess, disk: DiskTier) -> None:
        self.rules, self._process, self._disk = rules, process, disk
        self._numbers = count()

    def pack(self, cid: str, parts: Sequence[Part]) -> Loaded:
        """The one part, or the sum of several. Raises AdapterRefused for files, WorkerError for the way."""
        try:
            return self._pack_apart(cid, parts)
        except OSError as error:
            log.warning("packing_without_disk", cid=cid, reason=str(error))
            return PackerHere(self.rules).pack(cid, parts)

    def _pack_apart(self, cid: str, parts: Sequence[Part]) -> Loaded:
        stem = f"{parse_cid(cid).text}.{next(self._numbers)}"
        path = self._disk.folder / f"{stem}{ASIDE}"
        weights = tuple(self._disk.folder / f"{stem}.weights{n}{ASIDE}" for n in range(len(parts)))
        try:
            for part, file in zip(parts, weights, strict=True):
                # Through a file: a pipe takes 64 KiB at a time, and each asks for the interpreter's lock.
                _write_new(file, part.files.get(WEIGHTS_FILE, b""))
            task = PackingTask(cid, _lighter(parts), weights, self.rules, path, self._disk.base)
            written = self._process.write(task)
            return Loaded(_read(path, cid, self._disk, written.mark), path, written.seconds)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        finally:
            for file in weights:
                file.unlink(missing_ok=True)


def _lighter(parts: Sequence[Part]) -> tuple[Part, ...]:
    return tuple(
        replace(part, files={name: data for name, data in part.files.items() if name != WEIGHTS_FILE})
        for part in parts
    )


def _write(task: PackingTask) -> Written:
    started = time.process_time()
    parts = [
        replace(part, files={**part.files, WEIGHTS_FILE: file.read_bytes()})
        for part, file in zip(task.parts, task.weights, strict=True)
    ]
    packed = packed_from(task.cid, parts, task.rules)
    with _opened_new(task.path) as descriptor:
        write_packed(descriptor, packed, task.made_for)
        return Written(mark_of(descriptor), time.process_time() - started)


def _write_new(path: Path, data: bytes) -> None:
    with _opened_new(path) as descriptor:
        write_all(descriptor, data)


@contextmanager
def _opened_new(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _read(path: Path, cid: str, disk: DiskTier, mark: Mark) -> PackedAdapter:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return read_packed(descriptor, cid, disk.base, mark, disk.new_pages)[0]
    finally:
        os.close(descriptor)
