"""Tail patch: one Adam-scaled step on a method's ten best rows for a query, and what the query gains."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import torch

from benchmarks.attribution.gradient_methods import ADAM_EPSILON
from benchmarks.attribution.model import row_losses
from benchmarks.attribution.task import Scores, Task, collate, load_adapter
from benchmarks.attribution.training import losses_of

TOP = 10
QUERIES = 25
RATE = 1e-3


def tail_patch(task: Task, scores: Scores, cache: Path) -> np.ndarray:
    """(QUERIES,) gain in mean log p per answer token, nats, of every fourth query; kept by what was asked."""
    places = list(range(0, len(task.queries), max(1, len(task.queries) // QUERIES)))[:QUERIES]
    best = [np.argsort(-scores[place], kind="stable")[:TOP].tolist() for place in places]
    name = hashlib.sha256(json.dumps([places, best]).encode()).hexdigest()[:24]
    path = cache / f"{name}.json"
    if not path.is_file():
        gains = [_gain(task, query, rows) for query, rows in zip(places, best, strict=True)]
        cache.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(gains), encoding="utf-8")
    return np.array(json.loads(path.read_text(encoding="utf-8")))


def _gain(task: Task, query: int, rows: list[int]) -> float:
    model, point = task.model(), task.points[-1]
    before = float(losses_of(model, [task.queries[query]])[0])
    row_losses(model, *collate([task.rows[row] for row in rows])).mean().backward()  # type: ignore[no-untyped-call]
    stepped = {}
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None
        scale = point.second_moment[name].sqrt() + ADAM_EPSILON
        stepped[name] = parameter.detach() - RATE * parameter.grad / scale
    load_adapter(model, stepped)
    with torch.no_grad():
        return before - float(losses_of(model, [task.queries[query]])[0])
