"""A task folder: everything a method may look at, read by ours and by peers in environments of their own.

`facts.json`, `base.safetensors`, `rows.safetensors`, `queries.safetensors`, `checkpoint-N.safetensors` (early
to late; the last is the adapter that answers). A method reads a Task and leaves `scores/NAME.npy`, float64
(queries, rows), higher for a row that did more for a query, with `scores/NAME.json` for what it cost. Nothing
here tells of any retraining: the truth lies outside the folder.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from benchmarks.attribution.model import NOT_AN_ANSWER, AdaptedTail, Geometry

Scores = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Item:
    """One row or query: cached states (tokens, width), token numbers in the task's head, where the answer
    begins; and its text.
    """

    hidden: torch.Tensor
    ids: torch.Tensor
    start: int
    prompt: str
    response: str
    contributor: int


@dataclass(frozen=True)
class Point:
    """A checkpoint: the adapter, Adam's second moment (bias corrected) by the same names, and the mean
    learning rate of the part of training that it ends.
    """

    adapter: Mapping[str, torch.Tensor]
    second_moment: Mapping[str, torch.Tensor]
    rate: float


@dataclass(frozen=True)
class Task:
    """What a method may look at. `recipe` are the facts of the training run (see `training.Recipe`)."""

    name: str
    folder: Path
    rows: tuple[Item, ...]
    queries: tuple[Item, ...]
    points: tuple[Point, ...]
    base: Mapping[str, torch.Tensor]
    geometry: Geometry
    recipe: Mapping[str, Any]

    def model(self, point: int | None = -1, seed: int = 0) -> AdaptedTail:
        """The model at a checkpoint, the last by default; with None before training, drawn by `seed`."""
        model = AdaptedTail(self.base, self.geometry, seed)
        if point is not None:
            load_adapter(model, self.points[point].adapter)
        return model

    def contributors(self) -> list[int]:
        """Who contributed each row."""
        return [item.contributor for item in self.rows]


@dataclass(frozen=True)
class Cost:
    """What a method took: seconds to prepare for any query, seconds for all queries (CPU time of the
    process), bytes kept for each row, and the load average when it ran.
    """

    build_seconds: float
    query_seconds: float
    bytes_per_row: float
    load: float


def collate(items: Sequence[Item]) -> tuple[torch.Tensor, torch.Tensor]:
    """States (rows, longest, width) padded with zeros, and targets (rows, longest); no real place sees the
    padding.
    """
    longest = max(len(item.ids) for item in items)
    hidden = torch.zeros(len(items), longest, items[0].hidden.shape[1])
    targets = torch.full((len(items), longest), NOT_AN_ANSWER)
    for row, item in enumerate(items):
        end = len(item.ids)
        hidden[row, :end] = item.hidden
        targets[row, item.start - 1 : end - 1] = item.ids[item.start :]
    return hidden, targets


def load_adapter(model: AdaptedTail, adapter: Mapping[str, torch.Tensor]) -> None:
    """Write adapter weights into the model; every parameter must be named."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(adapter[name])


def read_task(folder: Path) -> Task:
    """The task in a folder made by `prepare`; FileNotFoundError where it is not finished."""
    facts = json.loads((folder / "facts.json").read_text(encoding="utf-8"))
    points = tuple(read_point(path) for path in sorted(folder.glob("checkpoint-*.safetensors")))
    return Task(
        name=facts["set"],
        folder=folder,
        rows=_read_items(folder / "rows.safetensors", facts["rows"]),
        queries=_read_items(folder / "queries.safetensors", facts["queries"]),
        points=points,
        base=load_file(folder / "base.safetensors"),
        geometry=Geometry(**facts["geometry"]),
        recipe=facts["recipe"],
    )


def read_point(path: Path) -> Point:
    """One checkpoint file."""
    with safe_open(path, framework="pt") as file:
        rate = float(file.metadata()["rate"])
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
    parts = {
        kind: {n.removeprefix(kind): t for n, t in tensors.items() if n.startswith(kind)}
        for kind in ("adapter.", "moment.")
    }
    return Point(parts["adapter."], parts["moment."], rate)


def write_scores(task: Task, name: str, scores: Scores, cost: Cost) -> None:
    """Leave a method's result in the task folder; the scores go last, so that whoever sees them sees all."""
    shape = (len(task.queries), len(task.rows))
    if scores.shape != shape or not np.isfinite(scores).all():
        raise ValueError(f"{name}: scores of shape {scores.shape}, finite wanted of {shape}")
    folder = task.folder / "scores"
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps(asdict(cost), indent=1) + "\n", encoding="utf-8")
    part = folder / f"{name}.part"
    with part.open("wb") as file:
        np.save(file, scores.astype(np.float64))
    os.replace(part, folder / f"{name}.npy")


def read_scores(folder: Path) -> dict[str, tuple[Scores, Cost]]:
    """Every result in a task folder, by name."""
    found = {}
    for path in sorted((folder / "scores").glob("*.npy")):
        cost = Cost(**json.loads(path.with_suffix(".json").read_text(encoding="utf-8")))
        found[path.stem] = (np.load(path, allow_pickle=False), cost)
    return found


def _read_items(path: Path, texts: Sequence[Sequence[Any]]) -> tuple[Item, ...]:
    tensors = load_file(path)
    lengths = tensors["lengths"].tolist()
    hidden, ids = tensors["hidden"].split(lengths), tensors["ids"].long().split(lengths)
    starts = tensors["starts"].tolist()
    return tuple(
        Item(h, i, start, prompt, response, contributor)
        for h, i, start, (prompt, response, contributor) in zip(hidden, ids, starts, texts, strict=True)
    )
