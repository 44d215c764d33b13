"""Runs a suite: starts its engines, lets them take turns in every case, round after round."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from benchmarks.openlora.journal import Entry, Journal
from benchmarks.openlora.process import Launch, PeerFailed, PeerProcess
from benchmarks.openlora.suites import Suite

Say = Callable[[str], None]


@dataclass(frozen=True)
class Bounds:
    """How long a run may take: rounds of each suite, seconds for loading an engine and for one case."""

    rounds: int
    build_seconds: float = 900.0
    case_seconds: float = 300.0


def run_suite(suite: Suite, journal: Journal, bounds: Bounds, logs: Path, say: Say) -> None:
    """Add the rounds that are missing. An engine that fails is out for the rest, with its reason kept."""
    if journal.rounds(suite.name) >= bounds.rounds:
        return
    with ExitStack() as stack:
        engines: dict[str, PeerProcess] = {}
        for launch in suite.engines:
            started = _start(suite.name, launch, journal, bounds, logs, say)
            if started is not None:
                stack.callback(started.close)
                engines[launch.name] = started
        while journal.rounds(suite.name) < bounds.rounds:
            began, number = time.monotonic(), journal.rounds(suite.name) + 1
            journal.finish_round(suite.name, _round(suite, number, engines, journal, bounds, say))
            say(f"{suite.name}: round {number} of {bounds.rounds} took {time.monotonic() - began:.0f} s")


def _start(
    suite: str, launch: Launch, journal: Journal, bounds: Bounds, logs: Path, say: Say
) -> PeerProcess | None:
    began = time.monotonic()
    try:
        process = PeerProcess(launch, logs)
    except PeerFailed as error:
        return _failed(suite, launch.name, error, journal, say)
    try:
        journal.add_start(suite, launch.name, process.build(launch.options, bounds.build_seconds))
    except PeerFailed as error:
        process.close()
        return _failed(suite, launch.name, error, journal, say)
    say(f"{launch.name}: loaded in {time.monotonic() - began:.0f} s")
    return process


def _round(
    suite: Suite,
    number: int,
    engines: dict[str, PeerProcess],
    journal: Journal,
    bounds: Bounds,
    say: Say,
) -> list[Entry]:
    entries = []
    for case in suite.cases:
        for name in _in_turn([e for e in engines if case.name in suite.runs[e]], number):
            try:
                sample = engines[name].measure(case, bounds.case_seconds)
            except PeerFailed as error:
                _failed(suite.name, name, error, journal, say)
                engines.pop(name).close()
                continue
            entries.append(Entry(suite.name, number, name, case.name, sample))
            say(f"  {case.name:<34}{name:<24}{sample.figures['tokens_per_cpu_second']:>8.1f}")
    return entries


def _in_turn(names: Sequence[str], number: int) -> list[str]:
    """Another engine goes first in every round, so that no place in the order favours one."""
    start = number % len(names) if names else 0
    return [*names[start:], *names[:start]]


def _failed(suite: str, name: str, error: PeerFailed, journal: Journal, say: Say) -> None:
    say(f"{name} in {suite}: not run: {error}")
    journal.add_failure(suite, name, str(error))
