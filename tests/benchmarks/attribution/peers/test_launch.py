"""How packages are run, and what stays when one gives nothing usable."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.attribution.peers.alone import leave
from benchmarks.attribution.peers.batches import Measured
from benchmarks.attribution.peers.catalogue import PEERS
from benchmarks.attribution.peers.launch import (
    ENVIRONMENT,
    failures,
    has_outcome,
    last_words,
    run_missing,
    run_peer,
    titles,
)
from benchmarks.attribution.task import Task, read_scores


def measured(task: Task, name: str, value: float) -> Measured:
    return Measured(name, np.full((len(task.queries), len(task.rows)), value), 1.0, 0.5, 64.0)


def test_usable_scores_are_left_with_their_cost(task: Task, tmp_path: Path) -> None:
    leave(replace(task, folder=tmp_path), measured(task, "one", 2.5))
    scores, cost = read_scores(tmp_path)["one"]
    assert (scores == 2.5).all() and (cost.build_seconds, cost.bytes_per_row) == (1.0, 64.0)
    assert has_outcome(tmp_path, "one") and not failures(tmp_path)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_scores_that_are_no_numbers_leave_their_reason_instead(
    task: Task, tmp_path: Path, value: float
) -> None:
    leave(replace(task, folder=tmp_path), measured(task, "bad", value))
    assert not read_scores(tmp_path) and has_outcome(tmp_path, "bad")
    count = len(task.queries) * len(task.rows)
    assert failures(tmp_path) == {"bad": f"{count} of {count} scores are not finite"}


def test_scores_turned_round_are_refused(task: Task, tmp_path: Path) -> None:
    found = measured(task, "turned", 1.0)
    leave(replace(task, folder=tmp_path), replace(found, scores=found.scores.T))
    assert failures(tmp_path)["turned"].startswith("turned: scores of shape")


def test_nothing_runs_where_every_setting_has_an_outcome(task: Task, tmp_path: Path) -> None:
    mine, said = replace(task, folder=tmp_path), list[str]()
    for number, name in enumerate(titles()):
        leave(mine, measured(task, name, 1.0 if number % 2 else np.nan))
    run_missing(tmp_path, said.append, python=tmp_path / "no-python")
    assert not said


def test_an_absent_environment_is_said_and_leaves_no_outcome(tmp_path: Path) -> None:
    said = list[str]()
    run_missing(tmp_path, said.append, python=tmp_path / "no-python")
    assert len(said) == len(PEERS) and all("scripts/setup_peers.sh attribution" in line for line in said)
    assert not (tmp_path / "scores").exists()


def test_a_process_that_ends_early_is_said_by_its_last_words(task: Task, tmp_path: Path) -> None:
    # The project's own environment has none of the packages.
    said = list[str]()
    run_peer(PEERS[0], PEERS[0].settings, task.folder, tmp_path, said.append, Path(sys.executable))
    assert "No module named 'kronfluence'" in said[-1]
    assert not has_outcome(tmp_path, PEERS[0].settings[0].name)


def test_last_words_are_the_last_line_that_says_something() -> None:
    assert (last_words("a\n  b \n\n"), last_words("\n")) == ("b", "no output")


@pytest.mark.slow
@pytest.mark.parametrize("peer", PEERS, ids=[peer.module for peer in PEERS])
def test_each_package_leaves_an_outcome_for_every_setting(peer: object, task: Task, tmp_path: Path) -> None:
    python = ENVIRONMENT / "bin/python"
    if not python.is_file():
        pytest.skip("the peers' environment is not installed: scripts/setup_peers.sh attribution")
    chosen, said = next(p for p in PEERS if p is peer), list[str]()
    run_peer(chosen, chosen.settings, task.folder, tmp_path, said.append, python)
    assert all(has_outcome(tmp_path, setting.name) for setting in chosen.settings), said
