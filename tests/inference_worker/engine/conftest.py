"""A tiny random base, its runner, and adapters loaded through the real ingestion."""

from collections import defaultdict

import pytest
import torch

from inference_worker.adapters.base_rows import BaseRows
from inference_worker.engine.linear import choose_linear
from inference_worker.engine.model_runner import ModelRunner
from inference_worker.engine.sampler import sample
from inference_worker.engine.weights import read_weights
from tests.inference_worker.adapters.peft_folders import write_base
from tests.inference_worker.engine.decoding import load_adapter


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def base_folder(tmp_path_factory):
    return write_base(tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="session")
def weights(base_folder):
    return read_weights(base_folder, choose_linear()[1])


@pytest.fixture(scope="session")
def base_rows(base_folder):
    return BaseRows(base_folder / "model.safetensors")


@pytest.fixture
def runner(weights):
    return ModelRunner(weights)


@pytest.fixture(scope="session")
def adapters():
    """Eight adapters of different ranks and modules."""
    mixes = [
        {"rank": 8},
        {"rank": 1},
        {"rank": 3, "modules": ("q_proj", "v_proj")},
        {"rank": 16},
        {"rank": 8, "modules": ("down_proj",)},
        {"rank": 64, "modules": ("gate_proj", "up_proj")},
        {"rank": 5, "modules": ("k_proj", "o_proj", "up_proj")},
        {"rank": 8},
    ]
    return [load_adapter(f"a{seed}", seed=seed, **mix) for seed, mix in enumerate(mixes)]


@pytest.fixture
def chosen_from(monkeypatch):
    """Logits by (seed, place): the seed stands for the request."""
    seen = defaultdict(dict)

    def recording(logits, params, index):
        assert index not in seen[params.seed], "a token was chosen twice"
        seen[params.seed][index] = logits.clone()
        return sample(logits, params, index)

    monkeypatch.setattr("inference_worker.engine.chooser.sample", recording)
    return seen
