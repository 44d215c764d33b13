"""Bases for the worker's tests: a tiny random one with the real tokenizer, and the real one."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import torch

from inference_worker.base.load import Base, load_base
from inference_worker.engine.linear import choose_linear
from inference_worker.engine.weights import BaseWeights, read_weights
from tests.inference_worker.adapters.peft_folders import write_base
from tests.inference_worker.blob_server import BlobServer
from tests.inference_worker.running_worker import Worker, running_worker
from tests.inference_worker.tiny_base import make_tiny_base, real_base_folder


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def tiny_base_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_base(tmp_path_factory.mktemp("tiny-base"))


@pytest.fixture
def tiny_base(tiny_base_dir: Path) -> Base:
    """Loaded anew for each test, since training changes the module tree."""
    return load_base(tiny_base_dir, verify=False)


@pytest.fixture(scope="session")
def real_base() -> Base:
    return load_base(real_base_folder(), verify=False)


@pytest.fixture
def node(tmp_path: Path) -> Iterator[BlobServer]:
    with BlobServer(tmp_path / "node.sock") as server:
        yield server


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> BaseWeights:
    """Of a tiny random Llama that the engine reads; one thread, as everywhere here."""
    return read_weights(write_base(tmp_path_factory.mktemp("base")), choose_linear()[1])


@pytest.fixture
async def worker(weights: BaseWeights, tmp_path: Path) -> AsyncIterator[Worker]:
    """A worker's server on a socket of its own."""
    async with running_worker(weights, tmp_path) as running:
        yield running
