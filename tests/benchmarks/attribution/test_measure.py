"""From retrainings to the table, on the tiny task."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from benchmarks.attribution import own
from benchmarks.attribution.folders import Folders, NotTrained, open_set
from benchmarks.attribution.measure import pairs_of, rows_of, to_json
from benchmarks.attribution.plan import PROFILES, Plan
from benchmarks.attribution.retrain import retrain
from benchmarks.attribution.sets import read_seeds
from benchmarks.attribution.table import summary, table
from benchmarks.attribution.tail_patch import tail_patch
from benchmarks.attribution.task import Task

PLAN = Plan(subsets=5, orders=2, adapters=4)
SEEDS = read_seeds()


@pytest.fixture(scope="module")
def folders(task: Task, tmp_path_factory: pytest.TempPathFactory) -> Folders:
    cache = tmp_path_factory.mktemp("cache")
    shutil.copytree(task.folder, cache / "small" / "task")
    found = Folders("small", cache)
    found.runs.mkdir()
    for job in PLAN.jobs():
        retrain(task, job, SEEDS, found.key(SEEDS), found.runs)
    return found


def test_a_reduced_profile_asks_for_what_the_goals_name() -> None:
    plans = PROFILES["reduced"]
    assert {name: plan.subsets for name, plan in plans.items()} == {"sent": 32, "math": 24, "hpo": 24}
    for plan in plans.values():
        jobs = plan.jobs()
        assert len(jobs) == len(set(jobs)) == plan.orders * plan.subsets + 10 + plan.adapters


def test_every_method_gets_a_row_and_a_pair(folders: Folders, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = open_set(folders, PLAN)
    assert opened.seen.orders == 2 and opened.seen.reliability is not None
    monkeypatch.setattr(
        own, "OURS", {n: (t, own.Setting(adapters=min(s.adapters, 4))) for n, (t, s) in own.OURS.items()}
    )
    own.run_published(opened.task, opened.made, opened.seeds)
    own.run_ours(opened.task, opened.made, opened.losses, opened.trained, opened.seeds)
    rows, pairs = rows_of(opened), pairs_of(opened)
    titles = {n: m.title for n, m in own.methods(opened.task, opened.made, SEEDS).items()} | own.titles()
    assert {row.name for row in rows} == set(titles)
    assert {pair.other for pair in pairs} == set(titles) - {"ours"}
    assert [row.lds.mean for row in rows] == sorted((row.lds.mean for row in rows), reverse=True)
    found = json.loads(json.dumps(to_json(rows, pairs, opened, titles)))
    text = table("small", {**found, "failures": {"Another (package 1)": "no wheel"}})
    assert all(f"| {title} |" in text for title in titles.values())
    assert "| Another (package 1) | not run: no wheel |" in text
    assert len(summary({"small": found})) == 1 and "LESS, unprojected" in summary({"small": found})[0]


def test_a_missing_retraining_is_named(folders: Folders) -> None:
    with pytest.raises(NotTrained, match="truth 5"):
        open_set(folders, Plan(subsets=6, orders=1, adapters=4))


def test_rows_that_help_most_help_more_than_those_that_help_least(folders: Folders, tmp_path: Path) -> None:
    opened = open_set(folders, PLAN)
    scores = opened.made.queries[-1] @ opened.made.rows[-1].T.astype(np.float64)
    best, worst = (tail_patch(opened.task, opened.made, s, tmp_path) for s in (scores, -scores))
    assert best.mean() > worst.mean() and len(list(tmp_path.iterdir())) == 2
    assert np.array_equal(tail_patch(opened.task, opened.made, 2 * scores, tmp_path), best)
