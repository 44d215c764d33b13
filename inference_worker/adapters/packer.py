"""Turns an adapter's files into a packed adapter: here, or in a process of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from inference_worker.adapters.base_rows import BaseRows
from inference_worker.adapters.ensemble import combine
from inference_worker.adapters.ingest import Caps, ingest
from inference_worker.adapters.packed_file import in_own_memory
from inference_worker.adapters.packing import PackedAdapter, pack
from inference_worker.adapters.quantised import PoolDtype, for_pool
from inference_worker.adapters.refusals import AdapterRefused, MemberRefused
from inference_worker.adapters.shape import BaseShape
from protocol.types import TOTAL_PPM


@dataclass(frozen=True)
class PackingRules:
    """What an adapter is checked against, and what it is packed for. DoRA needs the `base`."""

    shape: BaseShape
    fingerprint: str
    caps: Caps
    base: BaseRows | None = None
    pool: PoolDtype = "float32"


@dataclass(frozen=True)
class Part:
    """The files of an adapter; where it is one of several in an ensemble, with its weight in millionths."""

    cid: str
    files: Mapping[str, bytes]
    ppm: int = TOTAL_PPM


@dataclass(frozen=True)
class Loaded:
    """An adapter in pages of its own, and the packed file that holds it already, if one does; the file is
    for whoever gets this to keep or to remove. `apart_seconds` is what another process had of the processor
    for it."""

    packed: PackedAdapter
    file: Path | None = None
    apart_seconds: float = 0.0


class Packer(Protocol):
    """Checks and packs; may be called from several threads."""

    @property
    def rules(self) -> PackingRules:
        """By which it does."""
        ...

    def pack(self, cid: str, parts: Sequence[Part]) -> Loaded:
        """The one part, or the sum of several. Raises AdapterRefused for files, WorkerError for the way."""
        ...


@dataclass(frozen=True)
class PackerHere:
    """Packs in the thread that calls."""

    rules: PackingRules

    def pack(self, cid: str, parts: Sequence[Part]) -> Loaded:
        """The one part, or the sum of several. Raises AdapterRefused for files, WorkerError for the way."""
        return Loaded(in_own_memory(packed_from(cid, parts, self.rules)))


def packed_from(cid: str, parts: Sequence[Part], rules: PackingRules) -> PackedAdapter:
    """Check, pack, add up, and round where the pool holds less than fp32. Raises AdapterRefused."""
    if len(parts) == 1:
        packed = _packed(parts[0], rules)
    else:
        packed = combine(cid, [(_member(part, rules), part.ppm) for part in parts], rules.shape)
    return for_pool(packed, rules.shape, rules.pool)


def _packed(part: Part, rules: PackingRules) -> PackedAdapter:
    checked = ingest(part.files, rules.shape, rules.fingerprint, rules.caps, rules.base)
    return pack(part.cid, checked, rules.shape)


def _member(part: Part, rules: PackingRules) -> PackedAdapter:
    try:
        return _packed(part, rules)
    except AdapterRefused as refusal:
        raise MemberRefused(part.cid, refusal) from refusal
