"""What has been measured so far, one JSON line each, so that an interrupted run goes on where it stopped.

Only whole rounds count: measurements of a round are compared with each other, so they must lie close in time.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.openlora.case import Sample
from benchmarks.openlora.goals import Figure


@dataclass(frozen=True)
class Entry:
    """One measurement and where it belongs."""

    suite: str
    round: int
    engine: str
    case: str
    sample: Sample


class Journal:
    """Measurements of one run, in memory and in a file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._entries: list[Entry] = []
        self._rounds: dict[str, int] = {}
        self.not_run: dict[tuple[str, str], str] = {}
        self.facts: dict[str, dict[str, Any]] = {}
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_file():
            self._read(path.read_text(encoding="utf-8"))

    def rounds(self, suite: str) -> int:
        """How many rounds of a suite are whole."""
        return self._rounds.get(suite, 0)

    def add_start(self, suite: str, engine: str, facts: Mapping[str, Any]) -> None:
        """An engine runs in a suite, and what it said of itself."""
        self._append({"suite": suite, "engine": engine, "facts": dict(facts)})
        self._started(suite, engine, facts)

    def add_failure(self, suite: str, engine: str, reason: str) -> None:
        """An engine did not run in a suite, or not to its end."""
        self._append({"suite": suite, "engine": engine, "failure": reason})
        self.not_run[engine, suite] = reason

    def finish_round(self, suite: str, entries: list[Entry]) -> None:
        """Keep a whole round."""
        self._take(suite, entries)
        samples = [{"engine": e.engine, "case": e.case, **e.sample.to_json()} for e in entries]
        self._append({"suite": suite, "round": self._rounds[suite], "samples": samples})

    def measured(self) -> dict[Figure, dict[int, float]]:
        """Values by figure and round."""
        values: dict[Figure, dict[int, float]] = {}
        for entry in self._entries:
            for name, value in entry.sample.figures.items():
                values.setdefault(Figure(entry.engine, entry.case, name), {})[entry.round] = value
        return values

    def last(self) -> dict[tuple[str, str], tuple[int, ...]]:
        """The compared tokens of each engine and case, from its last round."""
        return {(e.engine, e.case): e.sample.last for e in self._entries}

    def _started(self, suite: str, engine: str, facts: Mapping[str, Any]) -> None:
        self.facts[engine] = dict(facts)
        self.not_run.pop((engine, suite), None)

    def _take(self, suite: str, entries: list[Entry]) -> None:
        self._rounds[suite] = self.rounds(suite) + 1
        self._entries += entries

    def _append(self, line: Mapping[str, Any]) -> None:
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def _read(self, text: str) -> None:
        for line in text.splitlines():
            data = json.loads(line)
            if "facts" in data:
                self._started(data["suite"], data["engine"], data["facts"])
            elif "failure" in data:
                self.not_run[data["engine"], data["suite"]] = data["failure"]
            else:
                number, suite = data["round"], data["suite"]
                self._take(
                    suite,
                    [
                        Entry(suite, number, s["engine"], s["case"], Sample.from_json(s))
                        for s in data["samples"]
                    ],
                )
