"""Reads the rows of a base's linear weights from its safetensors file, in pieces of bounded size.

Ingestion needs them once for each DoRA adapter; the engine's own copy is packed for its kernels and cannot be
read back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open

from inference_worker.adapters.module_names import path_of

# Fixed, so that a sum over a row has the same bits on every machine of a profile.
PIECE_ROWS = 1024


def as_stored(weight: torch.Tensor) -> torch.Tensor:
    """The weight of a base that is held in full."""
    return weight


@dataclass(frozen=True)
class BaseRows:
    """The base in this safetensors file; may be shared between threads, for each reading opens it anew.

    `widened` turns rows of a stored weight into those that the engine multiplies: others, where it holds the
    base in fewer bits.
    """

    file: Path
    widened: Callable[[torch.Tensor], torch.Tensor] = as_stored

    def open(self) -> AbstractContextManager[Any]:
        """The file, mapped: a piece is read when it is asked for."""
        handle: AbstractContextManager[Any] = safe_open(str(self.file), framework="pt")
        return handle


def pieces(opened: Any, layer: int, module: str) -> Iterator[tuple[slice, torch.Tensor]]:
    """Ranges of outputs and their weights, (at most PIECE_ROWS, inputs) fp32, in order."""
    weight = opened.get_slice(f"{path_of(layer, module)}.weight")
    outputs = weight.get_shape()[0]
    for start in range(0, outputs, PIECE_ROWS):
        rows = slice(start, min(start + PIECE_ROWS, outputs))
        yield rows, weight[rows].to(torch.float32)
