"""A packed adapter as one file: a block of header, then the tensors at 64-byte lines, read back by one call.

The header is canonical JSON: for which base and packer the file was written, the layout, an aLoRA
adapter's tokens, where each tensor lies, and the sha256 of the payload. Writing and reading go over the
fields of `Layout` and the tensors of `PackedAdapter` themselves, so one added there is in the file without a
change here. A file that does not fit is refused whole; nothing of it is repaired.
"""

from __future__ import annotations

import hashlib
import math
import mmap
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import torch

from inference_worker.adapters.lora_config import MAX_INVOCATION_TOKENS
from inference_worker.adapters.packing import Layout, PackedAdapter
from inference_worker.errors import WorkerError
from protocol.canonical import canonical_json, parse_json
from protocol.errors import ProtocolError
from protocol.fields import Fields
from protocol.types import MAX_UINT32

# Raise it whenever packing puts other bytes for the same adapter: files of other versions are dropped.
PACKER_VERSION = 2
HEADER_BYTES = 4096
_DIGEST_BYTES = 32
_LINE = 64
_MAX_PAYLOAD = 1 << 31
_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "int8": torch.int8}
_NAMES = {dtype: name for name, dtype in _DTYPES.items()}

# Where an adapter's bytes are put: memory of this size, writable.
NewPages = Callable[[int], mmap.mmap]


class PackedFileBad(WorkerError):
    """The file is not what was written: cut, changed, or of another adapter."""

    code = "packed_file_bad"

    def __init__(self, cid: str, what: str, expected: object, actual: object) -> None:
        super().__init__(
            f"packed file of {cid}: {what} is {actual}, expected {expected}; it is fetched again"
        )
        self.cid, self.what, self.expected, self.actual = cid, what, expected, actual


class PackedFileStale(PackedFileBad):
    """A sound file for another base or from another packer version."""

    code = "packed_file_stale"


@dataclass(frozen=True)
class Mark:
    """What tells a file from one written later under its name: inode, bytes, time of its last change (ns)."""

    inode: int
    size: int
    changed_ns: int


@dataclass(frozen=True)
class _Section:
    """One tensor of the payload: `start` in bytes from the payload's beginning."""

    name: str
    dtype: torch.dtype
    shape: tuple[int, ...]
    start: int

    @property
    def stop(self) -> int:
        return self.start + math.prod(self.shape) * self.dtype.itemsize

    def of(self, payload: torch.Tensor) -> torch.Tensor:
        """The tensor itself: a view of the payload."""
        return payload[self.start : self.stop].view(self.dtype).view(self.shape)


def payload_bytes(packed: PackedAdapter) -> int:
    """Bytes of all tensors, each from a 64-byte line on: what the adapter takes on disk after the header."""
    return _total(_sections(packed))


def plain_pages(size: int) -> mmap.mmap:
    """Fresh memory of the system's, which has it back when the object goes."""
    # Not from the allocator: freed blocks of this size stay in its heap, and memory outgrows the account.
    pages = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if hasattr(mmap, "MADV_HUGEPAGE"):
        # Large pages: faults on small ones cost several times what the copy does.
        pages.madvise(mmap.MADV_HUGEPAGE)
    return pages


def in_own_memory(packed: PackedAdapter, new_pages: NewPages = plain_pages) -> PackedAdapter:
    """A copy as reading gives it: in pages of its own, which the system has back when the adapter goes."""
    sections = _sections(packed)
    payload = _new_payload(_total(sections), new_pages)
    tensors: dict[str, Any] = {section.name: section.of(payload) for section in sections}
    for name, tensor in tensors.items():
        tensor.copy_(getattr(packed, name))
    return replace(packed, **tensors)


def write_packed(descriptor: int, packed: PackedAdapter, base: str) -> None:
    """Write header and payload to an open, empty file; syncing and naming it are the caller's."""
    sections = _sections(packed)
    pieces = list(_pieces(packed, sections))
    digest = hashlib.sha256()
    for piece in pieces:
        digest.update(piece)
    header = {
        "v": PACKER_VERSION,
        "base": base,
        "cid": packed.cid,
        "layout": {field.name: getattr(packed.layout, field.name) for field in fields(Layout)},
        "invocation": packed.invocation,
        "tensors": [
            {"name": s.name, "dtype": _NAMES[s.dtype], "shape": s.shape, "start": s.start} for s in sections
        ],
        "size": _total(sections),
        "sha256": digest.hexdigest(),
    }
    block = canonical_json(header).ljust(HEADER_BYTES - _DIGEST_BYTES)
    assert len(block) + _DIGEST_BYTES == HEADER_BYTES, f"header of {len(block)} bytes"
    write_all(descriptor, block + hashlib.sha256(block).digest())
    for piece in pieces:
        write_all(descriptor, piece)


def read_packed(
    descriptor: int, cid: str, base: str, trusted: Mark | None, new_pages: NewPages = plain_pages
) -> tuple[PackedAdapter, Mark]:
    """The adapter in an open file, and the file's mark.

    The payload is hashed unless the mark is still the `trusted` one. Raises PackedFileBad.
    """
    mark = mark_of(descriptor)
    size = mark.size - HEADER_BYTES
    if not 0 <= size <= _MAX_PAYLOAD:
        raise PackedFileBad(cid, "size of the file", f"{HEADER_BYTES} to {_MAX_PAYLOAD}", mark.size)
    block, payload = bytearray(HEADER_BYTES), _new_payload(size, new_pages)
    memory = _memory(payload)
    got = os.preadv(descriptor, [block, memory] if size else [block], 0)
    if got != mark.size:
        raise PackedFileBad(cid, "bytes read", mark.size, got)
    header = _read_header(bytes(block), cid, base, size)
    if mark != trusted:
        digest = hashlib.sha256(memory).hexdigest()
        if digest != header["sha256"]:
            raise PackedFileBad(cid, "sha256 of the payload", header["sha256"], digest)
    return _assemble(header, payload, cid), mark


def write_all(descriptor: int, data: bytes | memoryview) -> None:
    """Write to an open file until nothing is left."""
    left = memoryview(data)
    while left:
        left = left[os.write(descriptor, left) :]


def mark_of(descriptor: int) -> Mark:
    """The mark of an open file."""
    stat = os.fstat(descriptor)
    return Mark(stat.st_ino, stat.st_size, stat.st_mtime_ns)


def _read_header(block: bytes, cid: str, base: str, size: int) -> Mapping[str, Any]:
    text, digest = block[:-_DIGEST_BYTES], block[-_DIGEST_BYTES:]
    if hashlib.sha256(text).digest() != digest:
        raise PackedFileBad(cid, "sha256 of the header", digest.hex(), hashlib.sha256(text).hexdigest())
    try:
        header = parse_json(text.rstrip(), HEADER_BYTES, 8)
    except ProtocolError as error:
        raise PackedFileBad(cid, "header", "JSON", str(error)) from error
    if not isinstance(header, dict):
        raise PackedFileBad(cid, "header", "an object", type(header).__name__)
    for name, expected in (("v", PACKER_VERSION), ("base", base)):
        if header.get(name) != expected:
            raise PackedFileStale(cid, name, expected, header.get(name))
    for name, wanted in (("cid", cid), ("size", size)):
        if header.get(name) != wanted:
            raise PackedFileBad(cid, name, wanted, header.get(name))
    return header


def _assemble(header: Mapping[str, Any], payload: torch.Tensor, cid: str) -> PackedAdapter:
    try:
        tuples: dict[str, Any] = {name: _frozen(value) for name, value in header["layout"].items()}
        tensors = {}
        for entry in header["tensors"]:
            section = _read_section(entry)
            tensors[section.name] = section.of(payload)
        invocation = Fields(header, "header").integers("invocation", MAX_INVOCATION_TOKENS, 0, MAX_UINT32)
        return PackedAdapter(cid=cid, layout=Layout(**tuples), invocation=invocation, **tensors)
    except (KeyError, TypeError, AttributeError, RuntimeError, ProtocolError) as error:
        # A sound header that does not fit the classes: written by a packer whose version was not raised.
        raise PackedFileStale(cid, "header", "the fields of a packed adapter", repr(error)) from error


def _read_section(entry: object) -> _Section:
    given = Fields(entry, "tensor")
    return _Section(
        given.text("name", 64),
        _DTYPES[given.text("dtype", 16)],
        given.integers("shape", 8, 0, _MAX_PAYLOAD),
        given.integer("start", 0, _MAX_PAYLOAD),
    )


def _frozen(value: object) -> object:
    return tuple(_frozen(item) for item in value) if isinstance(value, list) else value


def _sections(packed: PackedAdapter) -> tuple[_Section, ...]:
    found, position = [], 0
    for field in fields(PackedAdapter):
        tensor = getattr(packed, field.name)
        if isinstance(tensor, torch.Tensor):
            section = _Section(field.name, tensor.dtype, tuple(tensor.shape), position)
            found.append(section)
            position = -(-section.stop // _LINE) * _LINE
    return tuple(found)


def _total(sections: tuple[_Section, ...]) -> int:
    return -(-sections[-1].stop // _LINE) * _LINE


def _pieces(packed: PackedAdapter, sections: tuple[_Section, ...]) -> Iterator[memoryview]:
    """The payload in order, without a copy: each tensor's bytes, and zeros up to the next line."""
    for section in sections:
        tensor = getattr(packed, section.name)
        yield _memory(tensor.contiguous().view(-1).view(torch.uint8))
        yield memoryview(bytes(-section.stop % _LINE))


def _new_payload(size: int, new_pages: NewPages) -> torch.Tensor:
    if not size:
        return torch.empty(0, dtype=torch.uint8)
    return torch.frombuffer(new_pages(size), dtype=torch.uint8)


def _memory(tensor: torch.Tensor) -> memoryview:
    array: Any = tensor.numpy()
    return memoryview(array)
