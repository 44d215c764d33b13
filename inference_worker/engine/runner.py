"""What the engine needs of whatever runs the model: the seam between its step loop and a device."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import torch

from inference_worker.adapters.packing import PackedAdapter


class SequenceCache(Protocol):
    """Keys and values of one sequence; the first `length` positions are filled."""

    length: int

    def copy_out(self, start: int, stop: int) -> Any:
        """A piece: a copy of filled positions start..stop."""

    def copy_in(self, piece: Any) -> None:
        """Append the positions of a piece of this runner."""

    def release(self) -> None:
        """Give everything back; the sequence ended or begins anew."""


Cache = TypeVar("Cache", bound=SequenceCache)


@dataclass(frozen=True)
class DecodeRow(Generic[Cache]):
    """One sequence's part of a decode step: its last token, whose position is the length of its cache."""

    token: int
    cache: Cache
    adapter: PackedAdapter | None


class Runner(Protocol[Cache]):
    """Runs one base with any mix of adapters. One thread at a time."""

    def new_cache(self, capacity: int) -> Cache:
        """An empty cache for a sequence of at most `capacity` positions."""

    def prefill(
        self, tokens: Sequence[int], cache: Cache, adapter: PackedAdapter | None, adapted_from: int = 0
    ) -> torch.Tensor:
        """Append a piece of one prompt to its cache; returns the logits after its last token, (vocab,). The
        tokens before the index `adapted_from` of the piece are the base's."""

    def decode(self, rows: Sequence[DecodeRow[Cache]]) -> torch.Tensor:
        """One token further for each row; returns (rows, vocab) logits, good until the next call."""

    def lane_bytes(self, adapter: PackedAdapter) -> int:
        """What an adapter takes beside a row that runs with it."""

    def prefetch(self, adapter: PackedAdapter) -> bool:
        """Bring an adapter near if it is not; False while that is under way."""

    def idle(self) -> None:
        """Release what only a running batch needs."""
