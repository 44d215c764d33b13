"""The data sets by name, and the seeds that were committed before anything was run."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.attribution.phenotypes import phenotypes
from benchmarks.attribution.rows import RowSet
from benchmarks.attribution.sentences import sentences
from benchmarks.attribution.word_problems import word_problems

SEEDS = Path(__file__).with_name("seeds.json")

_MAKERS: dict[str, Callable[[int], RowSet]] = {"sent": sentences, "math": word_problems, "hpo": phenotypes}
NAMES = tuple(_MAKERS)


@dataclass(frozen=True)
class Seeds:
    """Numbers seed generators; texts label orders drawn by sha256 (`rows.shuffled`)."""

    sets: dict[str, int]
    head: str
    init: int
    reference: str
    truth: str
    without: str
    covariance: str
    sketch: int
    random: int
    bootstrap: int


def read_seeds() -> Seeds:
    """The committed seeds."""
    return Seeds(**json.loads(SEEDS.read_text(encoding="utf-8")))


def row_set(name: str) -> RowSet:
    """One set, made anew from its seed."""
    return _MAKERS[name](read_seeds().sets[name])
