"""Runs what the catalogue names and a task folder lacks, each package in a process of the peers' environment.

A score file that is there is never measured again; a setting whose package gave no usable scores leaves its
reason beside them, `NAME.failed`, and is not tried again until that file is removed.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from benchmarks.attribution.peers.catalogue import PEERS, Peer, Setting
from benchmarks.record import ROOT

ENVIRONMENT = ROOT / ".tools/bench/attribution"

Say = Callable[[str], None]


def run_missing(task_folder: Path, say: Say, python: Path = ENVIRONMENT / "bin/python") -> None:
    """Measure every setting without an outcome; without the environment, say so and leave the rows out."""
    for peer in PEERS:
        run_peer(peer, peer.settings, task_folder, task_folder, say, python)


def run_peer(
    peer: Peer, settings: Sequence[Setting], task_folder: Path, into: Path, say: Say, python: Path
) -> None:
    """Measure those of `settings` that have no outcome under `into`."""
    missing = [setting.name for setting in settings if not has_outcome(into, setting.name)]
    if not missing:
        return
    if not python.is_file():
        say(f"{peer.method} ({peer.package}): not run, no {python}: scripts/setup_peers.sh attribution")
        return
    say(f"{peer.method} ({peer.package}): {', '.join(missing)}")
    done = subprocess.run(
        _command(python, peer, task_folder, into, missing),
        cwd=ROOT,
        env=_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        say(f"{peer.method} ({peer.package}) ended with {done.returncode}: {last_words(done.stderr)}")


def has_outcome(folder: Path, name: str) -> bool:
    """Whether a setting was measured or has failed."""
    return any((folder / "scores" / f"{name}.{kind}").is_file() for kind in ("npy", "failed"))


def failures(folder: Path) -> dict[str, str]:
    """Why settings have no scores, by name."""
    return {
        path.stem: path.read_text(encoding="utf-8").strip() for path in (folder / "scores").glob("*.failed")
    }


def titles() -> dict[str, str]:
    """How the table names each setting: method, package with its version, what was set."""
    return {
        setting.name: f"{peer.method} ({peer.package}; {setting.note})"
        for peer in PEERS
        for setting in peer.settings
    }


def last_words(output: str) -> str:
    """The last line that says something."""
    lines = [line for line in output.splitlines() if line.strip()]
    return lines[-1].strip() if lines else "no output"


def _command(python: Path, peer: Peer, task_folder: Path, into: Path, names: Sequence[str]) -> list[str]:
    return [
        str(python),
        "-m",
        "benchmarks.attribution.peers.alone",
        peer.module,
        str(task_folder),
        str(into),
        *names,
    ]


def _environment() -> Mapping[str, str]:
    # One thread, as ours; compiling kernels for a few hundred rows costs more than it saves.
    return {**os.environ, "OMP_NUM_THREADS": "1", "TORCHDYNAMO_DISABLE": "1", "PYTHONWARNINGS": "ignore"}
