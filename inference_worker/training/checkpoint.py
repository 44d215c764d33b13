"""What survives a kill: adapter, optimiser moments, step and snapshots, in safetensors only.

A file is written aside, synced and renamed, so that a reader sees the old state or the new one. A
checkpoint of another recipe or other data is refused.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from inference_worker.errors import CheckpointInvalid

FILE_NAME = "checkpoint.safetensors"


@dataclass(frozen=True)
class Snapshot:
    """Adapter and bias-corrected second moment at the end of a part of training, with the part's mean
    rate.
    """

    adapter: dict[str, torch.Tensor]
    second_moment: dict[str, torch.Tensor]
    mean_rate: float


@dataclass(frozen=True)
class Progress:
    """State after `step` optimiser steps; names are those of the adapter file."""

    step: int
    adapter: dict[str, torch.Tensor]
    first_moment: dict[str, torch.Tensor]
    second_moment: dict[str, torch.Tensor]


def save_tensors(
    path: Path, groups: Mapping[str, Mapping[str, torch.Tensor]], facts: Mapping[str, str]
) -> None:
    """Write named groups of tensors durably under one name."""
    flat = {f"{group}|{name}": t.contiguous() for group, named in groups.items() for name, t in named.items()}
    aside = path.with_suffix(".part")
    save_file(flat, aside, metadata=dict(facts))
    with aside.open("rb") as written:
        os.fsync(written.fileno())
    aside.replace(path)


def read_tensors(path: Path) -> tuple[dict[str, dict[str, torch.Tensor]], dict[str, str]]:
    """The groups and facts written by `save_tensors`."""
    groups: dict[str, dict[str, torch.Tensor]] = {}
    with safe_open(str(path), framework="pt") as opened:
        facts = dict(opened.metadata() or {})
        for key in opened.keys():  # noqa: SIM118 (not a dict)
            group, name = key.split("|", 1)
            groups.setdefault(group, {})[name] = opened.get_tensor(key)
    return groups, facts


class CheckpointFolder:
    """Checkpoint and snapshots of one training run, bound to the digest of what is trained."""

    def __init__(self, folder: Path, run_digest: str) -> None:
        self._folder = folder
        self._run_digest = run_digest

    def save(self, progress: Progress) -> None:
        """Replace the checkpoint."""
        groups = {"adapter": progress.adapter, "m": progress.first_moment, "v": progress.second_moment}
        save_tensors(self._folder / FILE_NAME, groups, {"run": self._run_digest, "step": str(progress.step)})

    def load(self) -> Progress | None:
        """The last checkpoint; None at a fresh start; CheckpointInvalid when it is another run's."""
        path = self._folder / FILE_NAME
        if not path.is_file():
            return None
        groups, facts = read_tensors(path)
        self._check(facts)
        return Progress(int(facts["step"]), groups["adapter"], groups["m"], groups["v"])

    def save_snapshot(self, number: int, snapshot: Snapshot) -> None:
        """Keep the state at the end of part `number` (from 1)."""
        groups = {"adapter": snapshot.adapter, "v": snapshot.second_moment}
        facts = {"run": self._run_digest, "mean_rate": repr(snapshot.mean_rate)}
        save_tensors(self._snapshot_path(number), groups, facts)

    def load_snapshot(self, number: int) -> Snapshot:
        """The snapshot of part `number`."""
        groups, facts = read_tensors(self._snapshot_path(number))
        self._check(facts)
        return Snapshot(groups["adapter"], groups["v"], float(facts["mean_rate"]))

    def _snapshot_path(self, number: int) -> Path:
        return self._folder / f"snapshot-{number}.safetensors"

    def _check(self, facts: Mapping[str, str]) -> None:
        if facts.get("run") != self._run_digest:
            raise CheckpointInvalid("training run", self._run_digest, facts.get("run"))
