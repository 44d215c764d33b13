"""A shard of the suffix index as one file: named by what it is of, checked against its own digest, mapped.

It holds the tokens of its rows in clear, so only rows that are not gated may be in one.
"""

from __future__ import annotations

import mmap
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
import numpy.typing as npt

from inference_worker.attribution.array_file import Array, decode_arrays, encode_arrays
from inference_worker.attribution.suffix_shard import CODE_BYTES, MAX_ROW_TOKENS, Shard, shard_of
from inference_worker.errors import IndexCorrupt
from protocol.hashing import from_hex

FORMAT = "suffix-1"
SUFFIX = ".spans"
KEY_BYTES = 8
"""Of a row's digest: enough to find the row in a version; the file's name then binds the whole digests."""

PLACE_BYTES = 4
MAX_FILE_BYTES = 2 * MAX_ROW_TOKENS * (CODE_BYTES + PLACE_BYTES + KEY_BYTES)

Keys = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class ShardFile:
    """A shard as read from `path`; `keys`: the first KEY_BYTES of each row's digest, shape (rows, 8)."""

    path: Path
    shard: Shard
    keys: Keys


def shard_name(tokenizer_digest: str, digests: Sequence[str]) -> str:
    """The file name of a shard of these rows under this tokenizer."""
    hashed = sha256(f"{FORMAT} {tokenizer_digest}".encode())
    for digest in digests:
        hashed.update(from_hex(digest, 32))
    return hashed.hexdigest() + SUFFIX


def keys_of(digests: Sequence[str]) -> Keys:
    """The keys of rows by their digests (0x-hex)."""
    packed = b"".join(from_hex(digest, 32)[:KEY_BYTES] for digest in digests)
    return np.frombuffer(packed, np.uint8).reshape(len(digests), KEY_BYTES)


def encode_shard(shard: Shard, digests: Sequence[str]) -> bytes:
    """The file of a shard whose rows have these digests: a function of the two."""
    text = np.frombuffer(shard.text, np.uint8)
    arrays: dict[str, Array] = {
        "text": text,
        "order": shard.order,
        "alphabet": shard.alphabet,
        "keys": keys_of(digests),
    }
    return encode_arrays({"format": FORMAT, "content": _content(arrays)}, arrays)


def read_shard(path: Path) -> ShardFile:
    """The shard in a file, mapped into memory. Raises IndexCorrupt when it is not what was written."""
    size = path.stat().st_size
    if not 0 < size <= MAX_FILE_BYTES:
        raise IndexCorrupt(f"bytes of {path.name}", f"1 to {MAX_FILE_BYTES}", size)
    with path.open("rb") as source:
        data = mmap.mmap(source.fileno(), 0, access=mmap.ACCESS_READ)
    facts, arrays = decode_arrays(memoryview(data))
    found = {name: (array.dtype.name, array.ndim) for name, array in arrays.items()}
    expected = {"text": ("uint8", 1), "order": ("uint32", 1), "alphabet": ("uint32", 1), "keys": ("uint8", 2)}
    if facts.get("format") != FORMAT or found != expected:
        raise IndexCorrupt(f"layout of {path.name}", (FORMAT, expected), (facts.get("format"), found))
    if facts.get("content") != _content(arrays):
        raise IndexCorrupt(f"content of {path.name}", facts.get("content"), _content(arrays))
    shard = shard_of(
        arrays["text"].data.toreadonly(),
        _native(arrays["order"]),
        _native(arrays["alphabet"]),
    )
    return ShardFile(path, shard, arrays["keys"].astype(np.uint8, copy=False))


def _native(array: Array) -> npt.NDArray[np.uint32]:
    """The numbers under the machine's own type, which bisection reads one by one; copied only if they must
    be.
    """
    return array.view(np.uint32) if sys.byteorder == "little" else array.astype(np.uint32)


def _content(arrays: Mapping[str, Array]) -> str:
    hashed = sha256()
    for name in sorted(arrays):
        hashed.update(np.ascontiguousarray(arrays[name]).data)
    return hashed.hexdigest()
