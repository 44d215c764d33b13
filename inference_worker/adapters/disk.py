"""The disk tier: packed adapters as files under a byte quota, the least recently used removed first.

A file is written aside, synced, renamed, and the folder synced: after a kill at any moment its name holds
the old bytes or the new ones. What was read is checked; a file that fails the check is removed, for the
node has the original. Names are made from content ids only; other files in the folder are left alone.
"""

from __future__ import annotations

import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from inference_worker.adapters.packed_file import (
    HEADER_BYTES,
    Mark,
    NewPages,
    PackedFileBad,
    mark_of,
    payload_bytes,
    plain_pages,
    read_packed,
    write_packed,
)
from inference_worker.adapters.packing import PackedAdapter
from inference_worker.metrics import Metrics
from protocol.cid import parse_cid
from protocol.errors import CidError

# What is not under its own name yet; left-overs of a kill are removed at start.
ASIDE = ".part"
_SUFFIX = ".packed"


@dataclass
class _File:
    """A file of the folder; `mark` is set once this process has checked its payload."""

    nbytes: int
    mark: Mark | None = None


class DiskTier:
    """Packed adapters of one base in one folder. Safe to use from several threads of one process."""

    def __init__(
        self,
        folder: Path,
        quota_bytes: int,
        base: str,
        metrics: Metrics,
        now_ns: Callable[[], int] = time.time_ns,
        new_pages: NewPages = plain_pages,
    ) -> None:
        self.folder, self.quota, self.base = folder, quota_bytes, base
        self._metrics, self._now_ns, self.new_pages = metrics, now_ns, new_pages
        self._lock = threading.Lock()
        self._files: OrderedDict[str, _File] = OrderedDict()
        self._writing: dict[str, int] = {}
        self._used = 0
        folder.mkdir(parents=True, exist_ok=True)
        for cid, nbytes in _found(folder):
            self._files[cid] = _File(nbytes)
            self._used += nbytes
        self._make_room(0)

    def __contains__(self, cid: str) -> bool:
        with self._lock:
            return cid in self._files

    @property
    def used(self) -> int:
        """Bytes of all files, those being written included; at most the quota."""
        with self._lock:
            return self._used

    def sizes(self) -> dict[str, int]:
        """Bytes of each file by content id, least recently used first."""
        with self._lock:
            return {cid: file.nbytes for cid, file in self._files.items()}

    def payload(self, cid: str) -> int | None:
        """Bytes that the adapter would take in memory; None if it is not here."""
        with self._lock:
            file = self._files.get(cid)
            return None if file is None else file.nbytes - HEADER_BYTES

    def read(self, cid: str) -> PackedAdapter | None:
        """The adapter, or None if it is not here. Raises PackedFileBad, after removing the file."""
        with self._lock:
            file = self._files.get(cid)
            if file is None:
                return None
            self._files.move_to_end(cid)
            trusted = file.mark
        try:
            with _opened(self._path(cid), os.O_RDONLY) as descriptor:
                packed, mark = read_packed(descriptor, cid, self.base, trusted, self.new_pages)
                # The time of access, set by hand, is the order of use that survives a restart.
                os.utime(descriptor, ns=(self._now_ns(), mark.changed_ns))
        except FileNotFoundError:
            self.drop(cid)
            return None
        except OSError as error:
            self.drop(cid)
            raise PackedFileBad(cid, "reading", "bytes", str(error)) from error
        except PackedFileBad:
            self.drop(cid)
            raise
        with self._lock:
            file.mark = mark
        return packed

    def write(self, packed: PackedAdapter) -> bool:
        """Keep an adapter; False if there is no room for it or it is being written already.

        Raises OSError, with nothing left of it, when the disk refuses.
        """
        return self._keep(packed, partial(self._write_aside, packed))

    def adopt(self, packed: PackedAdapter, aside: Path) -> bool:
        """Keep an adapter whose packed file has been written for this tier, under another name in its
        folder; the file is taken, kept or not. As `write` otherwise.
        """
        kept = False
        try:
            kept = self._keep(packed, lambda: aside)
        finally:
            if not kept:
                aside.unlink(missing_ok=True)
        return kept

    def _keep(self, packed: PackedAdapter, written: Callable[[], Path]) -> bool:
        nbytes = HEADER_BYTES + payload_bytes(packed)
        with self._lock:
            if nbytes + sum(self._writing.values()) > self.quota or packed.cid in self._writing:
                return False
            self._forget(packed.cid)
            self._make_room(nbytes)
            self._writing[packed.cid] = nbytes
            self._used += nbytes
        mark = None
        try:
            mark = self._name(packed.cid, written())
        finally:
            with self._lock:
                del self._writing[packed.cid]
                if mark is None:
                    self._used -= nbytes
                else:
                    self._files[packed.cid] = _File(nbytes, mark)
        return True

    def drop(self, cid: str) -> bool:
        """Remove an adapter's file; False if there was none."""
        with self._lock:
            known = self._forget(cid)
            if known:
                self._path(cid).unlink(missing_ok=True)
            return known

    def _write_aside(self, packed: PackedAdapter) -> Path:
        aside = self._path(packed.cid).with_suffix(ASIDE)
        try:
            with _opened(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC) as descriptor:
                write_packed(descriptor, packed, self.base)
        except OSError:
            aside.unlink(missing_ok=True)
            raise
        return aside

    def _name(self, cid: str, aside: Path) -> Mark:
        path = self._path(cid)
        try:
            with _opened(aside, os.O_RDWR) as descriptor:
                # A second back, so that a change within the clock's own tick still changes the mark.
                os.utime(descriptor, ns=(self._now_ns(), self._now_ns() - 1_000_000_000))
                os.fsync(descriptor)
                mark = mark_of(descriptor)
            os.replace(aside, path)
            with _opened(self.folder, os.O_RDONLY | os.O_DIRECTORY) as descriptor:
                os.fsync(descriptor)
        except OSError:
            for left in (aside, path):
                left.unlink(missing_ok=True)
            raise
        return mark

    def _make_room(self, nbytes: int) -> None:
        while self._files and self._used + nbytes > self.quota:
            victim = next(iter(self._files))
            self._forget(victim)
            self._path(victim).unlink(missing_ok=True)
            self._metrics.count("adapter_evictions_total", tier="disk")

    def _forget(self, cid: str) -> bool:
        file = self._files.pop(cid, None)
        if file is not None:
            self._used -= file.nbytes
        return file is not None

    def _path(self, cid: str) -> Path:
        return self.folder / (parse_cid(cid).text + _SUFFIX)


@contextmanager
def _opened(path: Path, flags: int) -> Iterator[int]:
    descriptor = os.open(path, flags, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _found(folder: Path) -> list[tuple[str, int]]:
    """Content ids and bytes of the files of earlier runs, least recently used first; removes unfinished
    ones."""
    found = []
    for path in folder.iterdir():
        if path.suffix == ASIDE:
            path.unlink()
        elif path.suffix == _SUFFIX and _is_cid(path.stem):
            stat = path.stat()
            found.append((stat.st_atime_ns, path.stem, stat.st_size))
    return [(cid, nbytes) for _, cid, nbytes in sorted(found)]


def _is_cid(text: str) -> bool:
    try:
        parse_cid(text)
    except CidError:
        return False
    return True
