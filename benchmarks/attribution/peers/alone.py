"""What runs in a peer's environment: `alone MODULE TASK-FOLDER INTO NAME...` leaves those settings' scores.

NAME is a setting of the catalogue, or one combination of a grid. Scores land in INTO/scores, as all methods'
do; a setting without usable ones leaves `NAME.failed` with the reason.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import numpy as np
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

from benchmarks.attribution.peers.batches import Measured
from benchmarks.attribution.peers.catalogue import settings_of
from benchmarks.attribution.task import Cost, Task, read_task, write_scores


def main(module: str, task_folder: Path, into: Path, names: Sequence[str]) -> None:
    """Measure with one thread, and leave each outcome as soon as it is there."""
    torch.set_num_threads(1)
    task, settings = read_task(task_folder), settings_of(module, names)
    peer = import_module(f"benchmarks.attribution.peers.{module}")
    target = replace(task, folder=into)
    # Plain attention can be mapped over rows; the fused one would be run row by row.
    with sdpa_kernel(SDPBackend.MATH):
        for found in peer.measure(task, settings):
            leave(target, found)


def leave(target: Task, found: Measured) -> None:
    """Write scores and cost where they are usable, the reason where they are not."""
    cost = Cost(found.build_seconds, found.query_seconds, found.bytes_per_row, round(os.getloadavg()[0], 2))
    try:
        write_scores(target, found.name, found.scores, cost)
    except ValueError as error:
        bad = int((~np.isfinite(found.scores)).sum())
        reason = f"{bad:,} of {found.scores.size:,} scores are not finite" if bad else str(error)
        folder = target.folder / "scores"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{found.name}.failed").write_text(f"{reason}\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4:])
