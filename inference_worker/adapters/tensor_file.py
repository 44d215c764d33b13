"""Checks a safetensors file with Python integers alone, before any native parser sees it.

Pure. It accepts a subset of what the `safetensors` library accepts: little-endian floats, contiguous ranges
in file order, no gap, no overlap, no trailing byte, no duplicate name.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from inference_worker.adapters.refusals import OverCap, TensorFileMalformed

_LENGTH_BYTES = 8
_WIDTHS = {"F32": 4, "F16": 2, "BF16": 2}
_MAX_DIMENSIONS = 4


@dataclass(frozen=True)
class TensorRange:
    """One tensor: its dtype name, shape, and half-open byte range counted from the end of the header."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    start: int
    end: int


def read_header(data: bytes, max_header: int, max_tensors: int) -> tuple[tuple[TensorRange, ...], int]:
    """The tensors in file order and the offset at which their bytes begin.

    Raises TensorFileMalformed or OverCap.
    """
    if len(data) < _LENGTH_BYTES:
        raise TensorFileMalformed(f"{len(data)} bytes are too few")
    length = int.from_bytes(data[:_LENGTH_BYTES], "little")
    if length > max_header:
        raise OverCap("safetensors header", length, max_header)
    body = _LENGTH_BYTES + length
    if body > len(data):
        raise TensorFileMalformed(f"header of {length} bytes in a file of {len(data)}")
    entries = _parse_object(data[_LENGTH_BYTES:body])
    _check_metadata(entries.pop("__metadata__", {}))
    if len(entries) > max_tensors:
        raise OverCap("tensors", len(entries), max_tensors)
    ranges = sorted(
        (_parse_range(name, entry) for name, entry in entries.items()), key=lambda r: (r.start, r.end)
    )
    _check_contiguous(ranges, len(data) - body)
    return tuple(ranges), body


def _parse_object(raw: bytes) -> dict[str, Any]:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            raise TensorFileMalformed("duplicate key in header")
        return found

    try:
        parsed = json.loads(raw.decode("utf-8"), object_pairs_hook=unique)
    except (ValueError, RecursionError) as error:
        raise TensorFileMalformed("header is not JSON") from error
    if not isinstance(parsed, dict):
        raise TensorFileMalformed("header is not an object")
    return parsed


def _check_metadata(metadata: object) -> None:
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise TensorFileMalformed("metadata is not a map of strings")


def _parse_range(name: str, entry: object) -> TensorRange:
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise TensorFileMalformed(f"entry {name!r} has other keys than dtype, shape, data_offsets")
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if dtype not in _WIDTHS:
        raise TensorFileMalformed(f"dtype {dtype!r} of {name!r}")
    if not _are_sizes(shape) or len(shape) > _MAX_DIMENSIONS:
        raise TensorFileMalformed(f"shape {shape!r} of {name!r}")
    if not _are_sizes(offsets) or len(offsets) != 2:
        raise TensorFileMalformed(f"offsets {offsets!r} of {name!r}")
    # Python integers do not wrap: [2**32, 2**32] is a huge product here, not zero.
    size = _WIDTHS[dtype]
    for dimension in shape:
        size *= dimension
    if offsets[1] - offsets[0] != size:
        raise TensorFileMalformed(f"{name!r} needs {size} bytes, its range has {offsets[1] - offsets[0]}")
    return TensorRange(name, dtype, tuple(shape), offsets[0], offsets[1])


def _are_sizes(value: object) -> bool:
    return isinstance(value, list) and all(type(v) is int and v >= 0 for v in value)


def _check_contiguous(ranges: list[TensorRange], available: int) -> None:
    position = 0
    for tensor in ranges:
        if tensor.start != position:
            raise TensorFileMalformed(f"{tensor.name!r} starts at {tensor.start}, expected {position}")
        position = tensor.end
    if position != available:
        raise TensorFileMalformed(f"tensors end at {position}, the file at {available}")
