"""The names by which a PEFT config may speak of a base's linear modules: the end of a module's dotted path.

Pure. Only names that belong to some module of the base are known; for those, PEFT's reading as a regular
expression and the plain comparison here agree.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Generic, TypeVar

from inference_worker.adapters.shape import PARENTS

Number = TypeVar("Number", int, float)


def path_of(layer: int, module: str) -> str:
    """Where a linear module stands in the base's module tree."""
    return f"model.layers.{layer}.{PARENTS[module]}.{module}"


@lru_cache(maxsize=1 << 12)
def names_of(path: str) -> tuple[str, ...]:
    """Every dotted end of a path, the whole path first."""
    parts = path.split(".")
    return tuple(".".join(parts[start:]) for start in range(len(parts)))


@lru_cache(maxsize=8)
def known_names(layers: int) -> frozenset[str]:
    """All names of all modules of a base with this many layers."""
    return frozenset(
        name for layer in range(layers) for module in PARENTS for name in names_of(path_of(layer, module))
    )


@dataclass(frozen=True)
class Pattern(Generic[Number]):
    """A PEFT rank or alpha pattern: by name, its place in the config and its value. `^` ties a name to the
    start of the path."""

    entries: Mapping[str, tuple[int, Number]]

    def value_of(self, layer: int, module: str, default: Number) -> Number:
        """The value of the first entry of the config that names this module."""
        if not self.entries:
            return default
        first: tuple[int, Number] | None = None
        for name in spellings(layer, module):
            entry = self.entries.get(name)
            if entry is not None and (first is None or entry < first):
                first = entry
        return default if first is None else first[1]


def spellings(layer: int, module: str) -> tuple[str, ...]:
    """Every way in which a pattern can name this module."""
    path = path_of(layer, module)
    return (f"^{path}", *names_of(path))
