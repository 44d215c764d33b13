"""Where a set's files lie, and everything about a set whose retrainings are done."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from safetensors import safe_open

from benchmarks.attribution.features import Features, features
from benchmarks.attribution.ours import Losses
from benchmarks.attribution.plan import Plan
from benchmarks.attribution.retrain import is_done, run_key
from benchmarks.attribution.sets import Seeds, read_seeds
from benchmarks.attribution.task import Task, read_task
from benchmarks.attribution.truths import Seen, read_losses, read_truth
from benchmarks.record import ROOT

CACHE = ROOT / ".cache" / "attribution-bench"


class NotTrained(Exception):
    """A retraining that a figure needs is missing; the text says which."""


@dataclass(frozen=True)
class Folders:
    """One set's part of the cache."""

    name: str
    cache: Path = CACHE

    @property
    def task(self) -> Path:
        """What methods may look at, and their scores."""
        return self.cache / self.name / "task"

    @property
    def runs(self) -> Path:
        """Retrainings."""
        return self.cache / self.name / "runs"

    @property
    def patches(self) -> Path:
        """Tail patches that were measured."""
        return self.cache / self.name / "patches"

    def key(self, seeds: Seeds) -> str:
        """What this set's retrainings must say to be used."""
        facts = json.loads((self.task / "facts.json").read_text(encoding="utf-8"))
        return run_key(facts["key"], seeds)


@dataclass(frozen=True)
class Opened:
    """A set ready to be measured; `trained` are the CPU seconds of each throw-away adapter."""

    folders: Folders
    task: Task
    made: Features
    seen: Seen
    losses: Losses
    trained: dict[int, float]
    seeds: Seeds


def open_set(folders: Folders, plan: Plan) -> Opened:
    """The set with the plan's retrainings; NotTrained names the first that is missing."""
    seeds = read_seeds()
    key = folders.key(seeds)
    for job in (*plan.truth(), *plan.without(), *plan.covariance()):
        if not is_done(folders.runs / job.file_name, key):
            raise NotTrained(
                f"{folders.name}: {job.kind} {job.number} is not there; run make bench-attribution"
            )
    task = read_task(folders.task)
    adapters = plan.covariance()
    return Opened(
        folders,
        task,
        features(task, folders.task.with_name("features.safetensors")),
        read_truth(task, folders.runs, key, plan.truth(), plan.without()),
        read_losses(folders.runs, adapters),
        {job.number: _seconds(folders.runs / job.file_name) for job in adapters},
        seeds,
    )


def _seconds(path: Path) -> float:
    with safe_open(path, framework="np") as file:
        return float(file.metadata()["cpu_seconds"])
