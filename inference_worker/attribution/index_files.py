"""The files of attribution indexes on this worker's disk, each under its CID.

A file is hashed before it is first used by a process, page by page of 1 MiB, which are the chunks of its CID;
one that was changed is deleted. Indexes that share a file share it here too. Files are written aside, synced
and renamed, so a kill leaves whole ones only.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from inference_worker.blobs.node_blobs import Blobs
from inference_worker.errors import BlobCorrupt, IndexTooLarge
from protocol.cid import parse_cid
from protocol.errors import CidError
from protocol.unixfs import CHUNK_BYTES, root_of_chunks

ASIDE = ".part"


class IndexFiles:
    """One folder, in which a single process writes at a time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._checked: set[str] = set()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for torn in folder.glob(f"*{ASIDE}"):
            torn.unlink()

    def put(self, pieces: Iterable[bytes], name: str = "file") -> str:
        """Write a file; returns its CID. `name` tells apart what is written at one time."""
        aside = self._folder / f"{name}{ASIDE}"
        with aside.open("wb") as sink:
            for piece in pieces:
                sink.write(piece)
            sink.flush()
            os.fsync(sink.fileno())
        cid = root_of_chunks(_chunks(aside)).text
        os.replace(aside, self._folder / cid)
        self._sync_names()
        self._checked.add(cid)
        return cid

    def path(self, cid: str) -> Path:
        """Where a file is that is here and is what its CID says. Raises BlobCorrupt, after deleting it."""
        path = self._folder / parse_cid(cid).text
        if cid not in self._checked:
            actual = root_of_chunks(_chunks(path)).text
            if actual != cid:
                path.unlink()
                raise BlobCorrupt(cid, actual)
            self._checked.add(cid)
        os.utime(path)
        return path

    def fetch(self, cid: str, blobs: Blobs) -> None:
        """Have a file here, from the node if need be: hashed on the way, and fetched anew where it rotted."""
        path = self._folder / parse_cid(cid).text
        if path.exists():
            try:
                self.path(cid)
                return
            except BlobCorrupt:
                pass
        self.put([blobs.get(cid)], cid)

    def make_room(self, needed: int, quota: int, keep: Collection[str]) -> None:
        """Delete files that were not used for longest, but none of `keep`, until `needed` more bytes stay
        within `quota`; IndexTooLarge where the disk has no room for them.
        """
        found = [(path.stat().st_mtime_ns, path) for path in self._folder.iterdir() if _is_cid(path.name)]
        used = sum(path.stat().st_size for _, path in found)
        for _, path in sorted(found):
            if used + needed <= quota:
                break
            if path.name not in keep:
                used -= path.stat().st_size
                path.unlink()
                self._checked.discard(path.name)
        self.check_room(needed)

    def check_room(self, needed: int) -> None:
        """IndexTooLarge where the disk has less than `needed` bytes free."""
        free = shutil.disk_usage(self._folder).free
        if needed > free:
            raise IndexTooLarge(needed, free)

    def has(self, cid: str) -> bool:
        """Whether a file of that name is here; it may have rotted."""
        return (self._folder / parse_cid(cid).text).exists()

    def _sync_names(self) -> None:
        descriptor = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as source:
        while chunk := source.read(CHUNK_BYTES):
            yield chunk


def _is_cid(name: str) -> bool:
    try:
        parse_cid(name)
    except CidError:
        return False
    return True
