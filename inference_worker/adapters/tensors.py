"""The tensors of a safetensors file whose header has been read: fp32, side by side in one memory.

One conversion for the whole file, and views of it; a file of some hundreds of small tensors is read in the
time of one large one.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from protocol.tensor_file import LENGTH_BYTES, TensorEntry

_DTYPES = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}


def numbers_of(weights: bytes, entries: Sequence[TensorEntry]) -> torch.Tensor:
    """All numbers of the file, (total,), fp32, in the order of `entries`, which `read_tensor_file` gave."""
    body = memoryview(weights)[LENGTH_BYTES + int.from_bytes(weights[:LENGTH_BYTES], "little") :]
    if len({entry.dtype for entry in entries}) == 1:
        return _numbers(body, entries[0].dtype)
    return torch.cat([_numbers(body[entry.start : entry.end], entry.dtype) for entry in entries])


def tensors_of(numbers: torch.Tensor, entries: Sequence[TensorEntry]) -> dict[str, torch.Tensor]:
    """Views of `numbers` by the tensors' names."""
    pieces = torch.split(numbers, [entry.count for entry in entries])
    return {entry.name: piece.view(entry.shape) for entry, piece in zip(entries, pieces, strict=True)}


def _numbers(data: memoryview, dtype: str) -> torch.Tensor:
    # Copied first: the header may end at any byte, and a tensor's memory begins at a multiple of its width.
    return torch.frombuffer(bytearray(data), dtype=_DTYPES[dtype]).to(torch.float32)
