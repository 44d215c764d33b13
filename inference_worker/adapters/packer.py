"""Turns an adapter's files into a packed adapter: here, or in a process of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from inference_worker.adapters.base_rows import BaseRows
from inference_worker.adapters.ingest import Caps, ingest
from inference_worker.adapters.packed_file import in_own_memory
from inference_worker.adapters.packing import PackedAdapter, pack
from inference_worker.adapters.quantised import PoolDtype, for_pool
from inference_worker.adapters.shape import BaseShape


@dataclass(frozen=True)
class PackingRules:
    """What an adapter is checked against, and what it is packed for. DoRA needs the `base`."""

    shape: BaseShape
    fingerprint: str
    caps: Caps
    base: BaseRows | None = None
    pool: PoolDtype = "float32"


@dataclass(frozen=True)
class Loaded:
    """An adapter in pages of its own, and the packed file that holds it already, if one does; the file is
    for whoever gets this to keep or to remove."""

    packed: PackedAdapter
    file: Path | None = None


class Packer(Protocol):
    """Checks and packs; may be called from several threads."""

    @property
    def rules(self) -> PackingRules:
        """By which it does."""
        ...

    def pack(self, cid: str, files: Mapping[str, bytes]) -> Loaded:
        """Raises AdapterRefused for the files, WorkerError for the way."""
        ...


@dataclass(frozen=True)
class PackerHere:
    """Packs in the thread that calls."""

    rules: PackingRules

    def pack(self, cid: str, files: Mapping[str, bytes]) -> Loaded:
        """Raises AdapterRefused for the files, WorkerError for the way."""
        return Loaded(in_own_memory(packed_from(cid, files, self.rules)))


def packed_from(cid: str, files: Mapping[str, bytes], rules: PackingRules) -> PackedAdapter:
    """Check, pack, and round where the pool holds less than fp32. Raises AdapterRefused."""
    checked = ingest(files, rules.shape, rules.fingerprint, rules.caps, rules.base)
    return for_pool(pack(cid, checked, rules.shape), rules.shape, rules.pool)
