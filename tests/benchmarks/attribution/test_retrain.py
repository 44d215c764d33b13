"""Retrainings: the right rows, the same result each time, and nothing done twice."""

import json
from pathlib import Path

import pytest
import torch

from benchmarks.attribution.retrain import Job, is_done, members_of, read_run, retrain, run_key
from benchmarks.attribution.runner import WorkerEnded, run_jobs
from benchmarks.attribution.sets import read_seeds
from benchmarks.attribution.task import Task

SEEDS = read_seeds()
OWNERS = [place // 30 for place in range(300)]


def quiet(_line: str) -> None:
    return None


def test_the_methods_halves_are_none_of_the_truths() -> None:
    truth = {tuple(members_of(Job("truth", n), OWNERS, SEEDS)) for n in range(64)}
    own = {tuple(members_of(Job("covariance", n), OWNERS, SEEDS)) for n in range(96)}
    assert len(truth) == 64 and len(own) == 96 and not truth & own
    assert all(len(half) == 150 for half in truth | own)


def test_again_trains_on_the_same_half_and_without_on_all_others() -> None:
    assert members_of(Job("again", 5), OWNERS, SEEDS) == members_of(Job("truth", 5), OWNERS, SEEDS)
    assert members_of(Job("without", 9), OWNERS, SEEDS) == list(range(270))


def test_a_run_is_a_function_of_job_and_seeds(task: Task, tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        retrain(task, Job("covariance", 3), SEEDS, "key", tmp_path / folder)
    first, second = (read_run(tmp_path / f / "covariance-003.safetensors") for f in ("a", "b"))
    assert all(torch.equal(first[name], second[name]) for name in first)
    members = first["members"].tolist()
    others = [n for n in range(len(task.rows)) if n not in members]
    # The same untrained adapter lies behind both, so what was trained on is known better.
    assert first["rows"][members].mean() < first["rows"][others].mean()


def test_what_is_done_is_not_done_again(task: Task, tmp_path: Path) -> None:
    key = run_key(json.loads((task.folder / "facts.json").read_text())["key"], SEEDS)
    jobs = [Job("truth", n) for n in range(3)]
    lines: list[str] = []
    assert run_jobs(jobs[:2], task.folder, tmp_path / "runs", key, lines.append) == 2
    assert run_jobs(jobs, task.folder, tmp_path / "runs", key, lines.append) == 1
    assert "truth 2" in lines[-1] and "1/1" in lines[-1]
    assert not is_done(tmp_path / "runs" / jobs[0].file_name, "another key")


def test_a_process_that_ends_is_named_with_its_job(task: Task, tmp_path: Path) -> None:
    with pytest.raises(WorkerEnded, match="without 0"):
        run_jobs([Job("without", 0)], tmp_path / "no-task", tmp_path / "runs", "key", quiet)
