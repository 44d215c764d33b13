"""Attribution methods side by side: `python -m benchmarks.attribution`.

Makes data sets and retrainings that are missing (a killed run goes on where it stopped), runs our methods and
the installed packages, prints one table for each set and writes `benchmarks/results/attribution.json`, its
text, and the plots.
"""

from __future__ import annotations

import argparse
import os
import subprocess
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch

from benchmarks.attribution import own
from benchmarks.attribution.folders import Folders, Opened, open_set
from benchmarks.attribution.measure import pairs_of, rows_of, to_json
from benchmarks.attribution.peers import launch
from benchmarks.attribution.plan import PROFILES, Plan
from benchmarks.attribution.prepare import is_prepared, prepare
from benchmarks.attribution.runner import run_jobs
from benchmarks.attribution.sets import NAMES, SEEDS, read_seeds, row_set
from benchmarks.attribution.table import summary, table
from benchmarks.record import ROOT, commit, machine, write
from inference_worker.base.load import Base, load_base

BASE = ROOT / ".cache/base/smollm2-135m-instruct-fp32"
IMAGES = ROOT / "docs" / "images"


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m benchmarks.attribution")
    parser.add_argument("--profile", choices=sorted(PROFILES), default="reduced")
    parser.add_argument("--sets", default=",".join(NAMES), help="which of them, by name")
    parser.add_argument("--train-only", action="store_true", help="make the retrainings and stop")
    parser.add_argument(
        "--figures-only", action="store_true", help="train and run nothing: figures of what is there"
    )
    parser.add_argument("--base", type=Path, default=BASE)
    return parser.parse_args(arguments)


@cache
def base_at(folder: Path) -> Base:
    """Loaded once, and only where a set has to be made."""
    return load_base(folder)


def say(line: str) -> None:
    """Progress."""
    print(line, flush=True)


def train(name: str, plan: Plan, base: Path) -> Folders:
    """The set's folder with every retraining of the plan."""
    seeds, folders, rows = read_seeds(), Folders(name), row_set(name)
    if not is_prepared(rows, seeds, folders.task):
        prepare(rows, base_at(base), seeds, folders.task, say)
    key = folders.key(seeds)
    run_jobs(plan.jobs(), folders.task, folders.runs, key, lambda line: say(f"{name} {line}"))
    return folders


def run_methods(opened: Opened) -> None:
    """Scores of every method."""
    say(f"{opened.task.name}: methods")
    own.run_published(opened.task, opened.made, opened.seeds)
    own.run_ours(opened.task, opened.made, opened.losses, opened.trained, opened.seeds)
    launch.run_missing(opened.folders.task, say)


def figures(opened: Opened) -> dict[str, Any]:
    """A row and a pair for each method that has scores."""
    say(f"{opened.task.name}: figures")
    names = {name: m.title for name, m in own.methods(opened.task, opened.made, opened.seeds).items()}
    titles = names | own.titles() | launch.titles()
    failures = {titles.get(name, name): why for name, why in launch.failures(opened.folders.task).items()}
    return {**to_json(rows_of(opened), pairs_of(opened), opened, titles), "failures": failures}


def main(arguments: Sequence[str] | None = None) -> int:
    """Train, measure, print, write."""
    options = parse(arguments)
    torch.set_num_threads(1)
    begun, plans = machine(), PROFILES[options.profile]
    found = {}
    for name in options.sets.split(","):
        folders = Folders(name) if options.figures_only else train(name, plans[name], options.base)
        if options.train_only:
            continue
        opened = open_set(folders, plans[name])
        if not options.figures_only:
            run_methods(opened)
        found[name] = figures(opened)
    if not found:
        return 0
    text = "\n".join(table(name, one) for name, one in found.items())
    text += "\n" + "\n".join(summary(found)) + "\n"
    print(text, end="")
    document = {
        "machine": vars(begun),
        "commit": commit(),
        "profile": options.profile,
        "seeds": SEEDS.read_text(encoding="utf-8"),
        "sets": found,
    }
    say(f"written: {write('attribution', document, text)}")
    draw()
    return 0


def draw() -> None:
    """The plots, by the one environment that has a plotting library."""
    python = ROOT / ".tools/bench/plots/bin/python"
    if not python.exists():
        say("plots are not drawn: scripts/setup_peers.sh plots")
        return
    subprocess.run([str(python), "-m", "benchmarks.attribution.plots", str(IMAGES)], cwd=ROOT, check=True)


if __name__ == "__main__":
    raise SystemExit(main())
