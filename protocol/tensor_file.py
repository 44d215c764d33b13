"""A safetensors file judged by its header, with plain integers: no tensor library, no allocation by its word.

Accepts a strict subset of what the `safetensors` library accepts: float tensors whose byte ranges follow one
another without gap or overlap from the first byte after the header to the last byte of the file. The node
judges what it registers and the worker what it loads: by one reading, so that they agree.
"""

from dataclasses import dataclass
from math import prod

from protocol.canonical import parse_json
from protocol.errors import FieldError, JsonError, TensorFileError, TensorFileOverCap
from protocol.fields import Fields

LENGTH_BYTES = 8
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

    @property
    def count(self) -> int:
        """How many numbers it has."""
        return prod(self.shape)


def read_tensor_file(data: bytes, max_header_bytes: int, max_tensors: int) -> tuple[TensorEntry, ...]:
    """The tensors in the order of their bytes.

    Raises TensorFileOverCap for a header or a count above its maximum, else TensorFileError for any file not
    exactly as promised.
    """
    if len(data) < LENGTH_BYTES:
        raise TensorFileError(f"{len(data)} bytes are too few")
    length = int.from_bytes(data[:LENGTH_BYTES], "little")
    if length > max_header_bytes:
        raise TensorFileOverCap("header bytes", length, max_header_bytes)
    body = LENGTH_BYTES + length
    if body > len(data):
        raise TensorFileError(f"header of {length} bytes in a file of {len(data)}")
    entries = _entries(_members(data[LENGTH_BYTES:body]), max_tensors)
    _check_contiguous(entries, len(data) - body)
    return entries


def _members(header: bytes) -> dict[str, object]:
    # A leading space would be a second spelling of the same header, and the library refuses it.
    if not header.startswith(b"{"):
        raise TensorFileError("header does not start with an object")
    try:
        parsed = parse_json(header, len(header), 4)
    except JsonError as error:
        raise TensorFileError(f"header: {error}") from error
    return parsed if isinstance(parsed, dict) else {}


def _entries(members: dict[str, object], max_tensors: int) -> tuple[TensorEntry, ...]:
    names = [name for name in members if name != METADATA]
    if len(names) > max_tensors:
        raise TensorFileOverCap("tensors", len(names), max_tensors)
    fields = Fields(members, "header")
    try:
        if METADATA in members:
            fields.text_map(METADATA, 64, 1 << 16)
        entries = [_entry(name, fields.child(name)) for name in names]
    except FieldError as error:
        raise TensorFileError(str(error)[:400]) from error
    return tuple(sorted(entries, key=lambda entry: (entry.start, entry.end)))


def _entry(name: str, fields: Fields) -> TensorEntry:
    dtype = fields.choice("dtype", tuple(BYTES_BY_DTYPE))
    shape = fields.integers("shape", MAX_DIMENSIONS, 0, MAX_SIZE)
    offsets = fields.integers("data_offsets", 2, 0, MAX_SIZE)
    fields.done()
    # Python integers do not wrap: [2**32, 2**32] is a huge product here, not zero.
    size = prod(shape) * BYTES_BY_DTYPE[dtype]
    if len(offsets) != 2 or offsets[1] - offsets[0] != size:
        raise TensorFileError(f"{name[:80]!r} needs {size} bytes, its offsets are {list(offsets)}")
    return TensorEntry(name, dtype, shape, *offsets)


def _check_contiguous(entries: tuple[TensorEntry, ...], available: int) -> None:
    position = 0
    for entry in entries:
        if entry.start != position:
            raise TensorFileError(f"{entry.name[:80]!r} starts at {entry.start}, expected {position}")
        position = entry.end
    if position != available:
        raise TensorFileError(f"tensors end at {position}, the file at {available}")
