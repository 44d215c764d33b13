"""From which position of a sequence its adapter applies.

An ordinary adapter applies everywhere. An aLoRA adapter applies from the last place on where its invocation
tokens stand in the prompt; everything before is the base's, and where they do not stand in it, everything is.
What is produced later never moves that place, so the keys and values of a sequence stay true.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from inference_worker.adapters.packing import PackedAdapter


@dataclass(frozen=True)
class Activation:
    """The adapter that applies to the positions from `start` on; None is the base alone."""

    adapter: PackedAdapter | None
    start: int = 0

    def within(self, start: int, stop: int) -> tuple[PackedAdapter | None, int]:
        """For the positions start..stop: the adapter, if any of them is adapted, and the first one that is,
        counted from `start`."""
        if self.start >= stop:
            return None, 0
        return self.adapter, max(0, self.start - start)


def activation_of(adapter: PackedAdapter | None, prompt: Sequence[int]) -> Activation:
    """Where an adapter applies to this prompt and to all that follows it."""
    if adapter is None or not adapter.invocation:
        return Activation(adapter)
    found = last_place(adapter.invocation, prompt)
    return Activation(None) if found is None else Activation(adapter, found)


def last_place(wanted: Sequence[int], tokens: Sequence[int]) -> int | None:
    """Where `wanted`, not empty, stands for the last time in `tokens`; None if nowhere."""
    sought = tuple(wanted)
    for start in range(len(tokens) - len(sought), -1, -1):
        if tokens[start] == sought[0] and tuple(tokens[start : start + len(sought)]) == sought:
            return start
    return None
