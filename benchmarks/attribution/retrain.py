"""One retraining: which rows stay, in what order, and the losses that come out, as a small file.

`truth` and `again` are random halves (the same halves in another order of training), `without` leaves one
contributor out, `covariance` are throw-away adapters on other halves, for the method that uses them. A file
is written under another name first, so a killed run leaves nothing half-made.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from benchmarks.attribution.rows import shuffled
from benchmarks.attribution.sets import Seeds
from benchmarks.attribution.task import Task
from benchmarks.attribution.training import Recipe, losses_of, train

KINDS = ("truth", "without", "covariance", "again")


@dataclass(frozen=True, order=True)
class Job:
    """One retraining of a set; `number` is the subset's or the absent contributor's."""

    kind: str
    number: int

    @property
    def file_name(self) -> str:
        """Its file in the folder of runs."""
        return f"{self.kind}-{self.number:03d}.safetensors"


def members_of(job: Job, contributors: list[int], seeds: Seeds) -> list[int]:
    """Places of the rows that the job trains on, ascending."""
    if job.kind == "without":
        return [place for place, owner in enumerate(contributors) if owner != job.number]
    label = seeds.covariance if job.kind == "covariance" else seeds.truth
    return sorted(shuffled(f"{label}/{job.number}", len(contributors))[: len(contributors) // 2])


def order_label(job: Job, seeds: Seeds) -> str:
    """What decides the order of training."""
    own = {"without": seeds.without, "covariance": seeds.covariance}.get(job.kind, seeds.truth)
    return f"{own}/{job.number}/{job.kind}"


def run_key(task_key: str, seeds: Seeds) -> str:
    """What a run's file must say to be used."""
    return f"{task_key} {seeds.truth} {seeds.without} {seeds.covariance}"


def is_done(path: Path, key: str) -> bool:
    """Whether the run is there, made under this key."""
    if not path.is_file():
        return False
    with safe_open(path, framework="pt") as file:
        return bool(file.metadata()["key"] == key)


def retrain(task: Task, job: Job, seeds: Seeds, key: str, folder: Path) -> float:
    """Run the job and leave its file; returns CPU seconds."""
    began = time.process_time()
    members = members_of(job, task.contributors(), seeds)
    model = task.model(None, seeds.init)
    train(model, [task.rows[place] for place in members], Recipe(**task.recipe), order_label(job, seeds))
    tensors = {"members": torch.tensor(members, dtype=torch.int32), "queries": losses_of(model, task.queries)}
    if job.kind == "covariance":
        tensors["rows"] = losses_of(model, task.rows)
    seconds = time.process_time() - began
    part = folder / f"{job.file_name}.part"
    save_file(tensors, part, metadata={"key": key, "cpu_seconds": f"{seconds:.2f}"})
    os.replace(part, folder / job.file_name)
    return seconds


def read_run(path: Path) -> dict[str, torch.Tensor]:
    """members (places), queries (losses), and for throw-away adapters rows (losses)."""
    return load_file(path)
