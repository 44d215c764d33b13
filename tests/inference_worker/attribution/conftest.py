"""One trained model for all tests of what is said about its answers."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.inference_worker.attribution.trained_model import TrainedModel, trained_model
from tests.inference_worker.blob_server import BlobServer


@pytest.fixture(scope="session")
def trained(tiny_base_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TrainedModel]:
    folder = tmp_path_factory.mktemp("trained")
    with BlobServer(folder / "node.sock") as server:
        yield trained_model(server, tiny_base_dir, folder)
