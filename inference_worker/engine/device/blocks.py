"""Sizes of the kernels' blocks, which order their sums and so decide bits: they are part of the profile."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Blocks:
    """Powers of two: of a row's inputs, of the rank down and up, of outputs, of positions in a cut and at
    once, of the gate's outputs. `attend` times the head's width must fit a multiprocessor's memory."""

    piece: int = 256
    inner: int = 16
    rank: int = 16
    out: int = 128
    cut: int = 256
    attend: int = 64
    gate: int = 1024
