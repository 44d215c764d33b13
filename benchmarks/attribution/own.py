"""Runs every method of ours and the published ones of our own writing that a task folder lacks."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from benchmarks.attribution import gradient_methods, ours, similarity
from benchmarks.attribution.features import Features
from benchmarks.attribution.ours import Losses, Setting
from benchmarks.attribution.sets import Seeds
from benchmarks.attribution.task import Cost, Scores, Task, write_scores
from benchmarks.attribution.training import losses_of

# A token number, and one coordinate.
_TOKEN_BYTES = 2
_FLOAT_BYTES = 4


@dataclass(frozen=True)
class Method:
    """How a method scores; how many checkpoints' gradients it needs, from the last; the bytes it keeps of a
    row; and how the table names it.
    """

    title: str
    score: Callable[[], Scores]
    points: int
    bytes_per_row: float


# `ours` is what a goal is judged by; the others show what each part of it is worth.
OURS = {
    "ours": ("ours: 3 checkpoints, 48 adapters", Setting()),
    "ours-gradient": ("ours: 3 checkpoints", Setting(adapters=0)),
    "ours-first": ("ours: 1 checkpoint", Setting(points=1, adapters=0)),
    "ours-first-losses": ("ours: 1 checkpoint, 48 adapters", Setting(points=1)),
    "ours-wide": ("ours: 2 checkpoints 1536 wide, 48 adapters", Setting(points=2, width=1536)),
}
COVARIANCE = "ours-losses"


def methods(task: Task, made: Features, seeds: Seeds) -> dict[str, Method]:
    """Those that are not the product's, by the name of their score file."""
    parameters = made.rows[-1].shape[1] * _FLOAT_BYTES
    tokens = float(np.mean([len(row.ids) for row in task.rows])) * _TOKEN_BYTES
    width = made.row_states.shape[1] * _FLOAT_BYTES
    return {
        "random": Method("random", partial(similarity.chance, task, seeds.random), 0, 0.0),
        "bm25": Method("BM25", partial(similarity.bm25, task), 0, tokens),
        "repsim": Method("RepSim, centred", partial(similarity.state_cosine, made), 0, width),
        "span": Method("longest token span", partial(similarity.longest_span, task), 0, tokens),
        "grad-dot": Method("Grad-Dot", partial(gradient_methods.grad_dot, made), 1, parameters),
        "grad-cos": Method("Grad-Cos", partial(gradient_methods.grad_cos, made), 1, parameters),
        "datainf": Method(
            "DataInf (paper's damping)", partial(gradient_methods.datainf, made), 1, parameters
        ),
        "tracin": Method("TracInCP", partial(gradient_methods.tracin, task, made), 3, 3 * parameters),
        "less": Method("LESS, unprojected", partial(gradient_methods.less, task, made), 3, 3 * parameters),
        "adam-tracin": Method(
            "Adam-TracIn", partial(gradient_methods.adam_tracin, task, made), 3, 3 * parameters
        ),
    }


def titles() -> dict[str, str]:
    """How the table names the product's."""
    return {name: title for name, (title, _) in OURS.items()} | {COVARIANCE: "ours: 48 adapters"}


def run_published(task: Task, made: Features, seeds: Seeds) -> None:
    """Write the scores of `methods`."""
    for name, method in methods(task, made, seeds).items():
        began = time.process_time()
        scores = method.score()
        seconds = time.process_time() - began
        first = len(task.points) - method.points
        build, query = sum(made.row_seconds[first:]), sum(made.query_seconds[first:])
        write_scores(task, name, scores, _cost(build, query + seconds, method.bytes_per_row))


def run_ours(task: Task, made: Features, losses: Losses, trained: Mapping[int, float], seeds: Seeds) -> None:
    """Write the product's scores; `trained` are the CPU seconds of each throw-away adapter."""
    began = time.process_time()
    losses_of(task.model(), task.queries)
    forward = time.process_time() - began
    for name, (_, setting) in OURS.items():
        result = ours.attribute(task, made, losses, setting, seeds.sketch)
        build = result.build_seconds + sum(made.row_seconds[: setting.points])
        query = result.query_seconds + sum(made.query_seconds[: setting.points])
        build += sum(trained[number] for number in range(setting.adapters))
        cost = _cost(build, query + forward * setting.adapters, setting.bytes_per_row())
        write_scores(task, name, ours.as_scores(result.scores), cost)
    setting = OURS["ours"][1]
    began = time.process_time()
    scores = ours.covariance_scores(losses, setting.adapters)
    seconds = time.process_time() - began
    kept = setting.bytes_per_row() - OURS["ours-gradient"][1].bytes_per_row()
    cost = _cost(sum(trained.values()), seconds + forward * setting.adapters, kept)
    write_scores(task, COVARIANCE, ours.as_scores(scores), cost)


def _cost(build: float, query: float, size: float) -> Cost:
    return Cost(round(build, 3), round(query, 3), size, round(os.getloadavg()[0], 2))
