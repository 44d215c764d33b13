"""Named arrays in one flat file: magic, header length, JSON header, raw little-endian data on 64-byte
borders.

Nothing in it is executed on reading, equal content gives equal bytes, and a reader may map it into memory.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from inference_worker.errors import IndexCorrupt
from protocol.canonical import canonical_json, parse_json
from protocol.errors import ProtocolError

MAGIC = b"OLINDEX1"
ALIGN = 64
MAX_HEADER_BYTES = 16 << 20
KINDS = ("uint8", "int8", "uint16", "int32", "uint32", "int64", "float16", "float32", "float64")

Array = npt.NDArray[np.generic]


def encode_arrays(facts: Mapping[str, object], arrays: Mapping[str, Array]) -> bytes:
    """One file from facts (canonical JSON values) and arrays, in name order."""
    entries, at, pieces = [], 0, []
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        if array.dtype.name not in KINDS:
            raise IndexCorrupt(f"dtype of {name}", KINDS, array.dtype.name)
        data = array.astype(array.dtype.newbyteorder("<")).tobytes()
        entries.append({"name": name, "dtype": array.dtype.name, "shape": list(array.shape), "at": at})
        pieces += [data, b"\0" * (-len(data) % ALIGN)]
        at += len(data) + (-len(data) % ALIGN)
    header = canonical_json({"facts": dict(facts), "arrays": entries})
    head = MAGIC + len(header).to_bytes(8, "little") + header
    return b"".join([head, b"\0" * (-len(head) % ALIGN), *pieces])


def decode_arrays(data: bytes | memoryview) -> tuple[dict[str, object], dict[str, Array]]:
    """Facts and arrays of a file, as read-only views into `data`; IndexCorrupt for anything inconsistent."""
    view = memoryview(data)
    if bytes(view[: len(MAGIC)]) != MAGIC:
        raise IndexCorrupt("magic", MAGIC, bytes(view[: len(MAGIC)]))
    size = int.from_bytes(view[8:16], "little")
    if size > min(MAX_HEADER_BYTES, len(view) - 16):
        raise IndexCorrupt("header length", f"at most {min(MAX_HEADER_BYTES, len(view) - 16)}", size)
    try:
        header = parse_json(bytes(view[16 : 16 + size]), max_bytes=MAX_HEADER_BYTES, max_depth=16)
        if not isinstance(header, dict):
            raise IndexCorrupt("header", "object", type(header).__name__)
        facts, entries = header["facts"], header["arrays"]
        start = 16 + size + (-(16 + size) % ALIGN)
        return facts, {entry["name"]: _view(view[start:], entry) for entry in entries}
    except (ProtocolError, KeyError, TypeError, ValueError) as error:
        raise IndexCorrupt("header", "facts and arrays", str(error)) from error


def _view(data: memoryview, entry: Mapping[str, object]) -> Array:
    kind, shape, at = str(entry["dtype"]), entry["shape"], entry["at"]
    if kind not in KINDS or not isinstance(shape, list) or not isinstance(at, int) or at % ALIGN:
        raise ValueError(f"array {entry.get('name')!r}")
    dtype = np.dtype(kind).newbyteorder("<")
    count = 1
    for side in shape:
        if not isinstance(side, int) or side < 0:
            raise ValueError(f"shape {shape}")
        count *= side
    return np.frombuffer(data, dtype=dtype, count=count, offset=at).reshape(shape)
