"""A small task made by the benchmark's own preparation from the tiny base."""

import pytest
import torch

from benchmarks.attribution.prepare import prepare
from benchmarks.attribution.rows import Row, RowSet
from benchmarks.attribution.sentences import sentences
from benchmarks.attribution.sets import read_seeds
from benchmarks.attribution.task import Task
from inference_worker.base.load import Base, load_base
from tests.inference_worker.tiny_base import make_tiny_base


@pytest.fixture(scope="session")
def small_set() -> RowSet:
    """Four rows and two queries of each of the first five contributors."""
    whole = sentences(3)

    def some(rows: tuple[Row, ...], each: int) -> tuple[Row, ...]:
        return tuple(r for c in range(5) for r in [r for r in rows if r.contributor == c][:each])

    return RowSet("small", whole.names[:5], some(whole.train, 4), some(whole.queries, 2))


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Base:
    torch.set_num_threads(1)
    return load_base(make_tiny_base(tmp_path_factory.mktemp("tiny-base")))


@pytest.fixture(scope="session")
def task(small_set: RowSet, tiny: Base, tmp_path_factory: pytest.TempPathFactory) -> Task:
    folder = tmp_path_factory.mktemp("small") / "task"
    return prepare(small_set, tiny, read_seeds(), folder, lambda _line: None)
