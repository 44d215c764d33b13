"""Tail patch: one Adam-scaled step on a method's ten best rows for a query, and what the query gains."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import torch

from benchmarks.attribution.features import Features
from benchmarks.attribution.gradient_methods import adam_scale
from benchmarks.attribution.task import Scores, Task
from benchmarks.attribution.training import losses_of

TOP = 10
QUERIES = 25
RATE = 1e-3


def tail_patch(task: Task, made: Features, scores: Scores, cache: Path) -> np.ndarray:
    """(QUERIES,) gain in mean log p per answer token, nats, of every fourth query; kept by what was asked."""
    places = list(range(0, len(task.queries), max(1, len(task.queries) // QUERIES)))[:QUERIES]
    best = [np.argsort(-scores[place], kind="stable")[:TOP].tolist() for place in places]
    name = hashlib.sha256(json.dumps([places, best]).encode()).hexdigest()[:24]
    path = cache / f"{name}.json"
    if not path.is_file():
        before = losses_of(task.model(), [task.queries[place] for place in places]).numpy()
        after = [_after(task, made, query, rows) for query, rows in zip(places, best, strict=True)]
        cache.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps((before - np.array(after)).tolist()), encoding="utf-8")
    return np.array(json.loads(path.read_text(encoding="utf-8")))


def _after(task: Task, made: Features, query: int, rows: list[int]) -> float:
    """The query's loss after the step; the gradient of the rows' mean loss is the mean of their gradients."""
    model = task.model()
    step = RATE * made.rows[-1][rows].mean(axis=0) / adam_scale(task.points[-1])
    with torch.no_grad():
        for parameter, place in zip(model.parameters(), made.layers, strict=True):
            parameter -= torch.from_numpy(step[place]).view_as(parameter)
    return float(losses_of(model, [task.queries[query]])[0])
