"""A process that retrains: `python -m benchmarks.attribution.worker TASK RUNS KEY`, jobs on its input.

One line in, `kind number`; one line out, the CPU seconds. When whoever feeds it is gone, its input ends and
so does it.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch

from benchmarks.attribution.retrain import Job, retrain
from benchmarks.attribution.sets import read_seeds
from benchmarks.attribution.task import read_task


def main() -> None:
    """Answer line by line."""
    torch.set_num_threads(1)
    task, runs, key = read_task(Path(sys.argv[1])), Path(sys.argv[2]), sys.argv[3]
    for line in sys.stdin:
        kind, number = line.split()
        seconds = retrain(task, Job(kind, int(number)), read_seeds(), key, runs)
        print(f"{seconds:.2f}", flush=True)


if __name__ == "__main__":
    main()
