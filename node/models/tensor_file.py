"""A safetensors file judged by its header, with plain integers: no tensor library, no allocation by its word.

Accepts a strict subset of what the `safetensors` library accepts: float tensors whose byte ranges follow one
another without gap or overlap from the first byte after the header to the last byte of the file.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from node.training.bundle import BadBundle
from protocol.canonical import parse_json
from protocol.errors import ProtocolError
from protocol.fields import Fields

LENGTH_BYTES = 8
MAX_HEADER_BYTES = 4 << 20
MAX_TENSORS = 4096
MAX_DIMENSIONS = 4
MAX_SIZE = 2**53 - 1
METADATA = "__metadata__"
BYTES_BY_DTYPE = {"F32": 4, "F16": 2, "BF16": 2}


@dataclass(frozen=True)
class TensorEntry:
    """One tensor: `start` and `end` count bytes from the end of the header, half-open."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    start: int
    end: int


def read_tensor_file(data: bytes) -> tuple[TensorEntry, ...]:
    """The tensors in the order of their bytes. Raises BadBundle for any file not exactly as promised."""
    length = int.from_bytes(data[:LENGTH_BYTES], "little")
    body = LENGTH_BYTES + length
    if len(data) < LENGTH_BYTES or length > MAX_HEADER_BYTES or body > len(data):
        raise BadBundle("header does not fit the file", header=length, file=len(data), limit=MAX_HEADER_BYTES)
    # A leading space would be a second spelling of the same header, and the library refuses it.
    if data[LENGTH_BYTES : LENGTH_BYTES + 1] != b"{":
        raise BadBundle("header does not start with an object")
    try:
        entries = _entries(data[LENGTH_BYTES:body])
    except ProtocolError as error:
        raise BadBundle("header is malformed", reason=str(error)) from error
    _check_contiguous(entries, len(data) - body)
    return entries


def _entries(header: bytes) -> tuple[TensorEntry, ...]:
    parsed = parse_json(header, MAX_HEADER_BYTES, 4)
    fields = Fields(parsed, "tensors")
    names = [name for name in parsed if name != METADATA] if isinstance(parsed, dict) else []
    if len(names) > MAX_TENSORS:
        raise BadBundle("too many tensors", tensors=len(names), limit=MAX_TENSORS)
    if not fields.absent(METADATA):
        fields.text_map(METADATA, 64, 1 << 16)
    entries = (_entry(name, fields.child(name)) for name in names)
    return tuple(sorted(entries, key=lambda entry: (entry.start, entry.end)))


def _entry(name: str, fields: Fields) -> TensorEntry:
    dtype = fields.choice("dtype", tuple(BYTES_BY_DTYPE))
    shape = fields.integers("shape", MAX_DIMENSIONS, 0, MAX_SIZE)
    offsets = fields.integers("data_offsets", 2, 0, MAX_SIZE)
    fields.done()
    # Python integers do not wrap, so a shape like [2^32, 2^32] is as large as it says.
    size = prod(shape) * BYTES_BY_DTYPE[dtype]
    if len(offsets) != 2 or offsets[1] - offsets[0] != size:
        raise BadBundle("tensor has another size", name=name[:80], needs=size, offsets=offsets)
    return TensorEntry(name, dtype, shape, *offsets)


def _check_contiguous(entries: tuple[TensorEntry, ...], available: int) -> None:
    position = 0
    for entry in entries:
        if entry.start != position:
            raise BadBundle("gap or overlap", name=entry.name[:80], start=entry.start, expected=position)
        position = entry.end
    if position != available:
        raise BadBundle("tensors do not fill the file", end=position, available=available)
