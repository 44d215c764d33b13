"""DoRA at ingestion: magnitudes become gains, or the adapter is refused."""

import json

import pytest
import torch
from safetensors.torch import load, save
from transformers import LlamaForCausalLM

from inference_worker.adapters import base_rows, refusals
from inference_worker.adapters.base_rows import BaseRows
from inference_worker.adapters.ingest import Caps, ingest
from inference_worker.adapters.packing import gains_start, pack
from inference_worker.adapters.shape import PARENTS
from tests.inference_worker.adapters.peft_folders import FINGERPRINT, shape, write_base
from tests.inference_worker.adapters.peft_saved import saved_by_peft

MAGNITUDE = "base_model.model.model.layers.0.self_attn.q_proj.lora_magnitude_vector"


@pytest.fixture(scope="module")
def base_folder(tmp_path_factory):
    return write_base(tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="module")
def base(base_folder):
    return BaseRows(base_folder / "model.safetensors")


@pytest.fixture(scope="module")
def named(base_folder, tmp_path_factory):
    return saved_by_peft(base_folder, tmp_path_factory.mktemp("dora"), rank=5, alpha=7, use_dora=True)


def changed(named, change):
    tensors = load(named["adapter_model.safetensors"])
    change(tensors)
    return {**named, "adapter_model.safetensors": save(tensors)}


def check(named, base):
    return ingest(named, shape(), FINGERPRINT, Caps(), base)


@pytest.mark.parametrize("piece_rows", [1024, 10])
def test_gains_make_the_rows_as_long_as_the_magnitudes(named, base, base_folder, monkeypatch, piece_rows):
    """SPEC 4.90: whatever the size of the pieces in which the base is read."""
    monkeypatch.setattr(base_rows, "PIECE_ROWS", piece_rows)
    weights = LlamaForCausalLM.from_pretrained(base_folder).state_dict()
    tensors = load(named["adapter_model.safetensors"])
    pairs = check(named, base).pairs
    assert len(pairs) == 3 * 7
    for (layer, module), pair in pairs.items():
        path = f"model.layers.{layer}.{PARENTS[module]}.{module}"
        adapted = weights[f"{path}.weight"] + pair.scale * pair.up @ pair.down
        lengths = (pair.gain[:, None] * adapted).norm(dim=1)
        assert torch.allclose(lengths, tensors[f"base_model.model.{path}.lora_magnitude_vector"], rtol=1e-5)


def test_modules_without_dora_have_a_gain_of_exactly_one(base_folder, base, tmp_path):
    """SPEC 4.90"""
    named = saved_by_peft(base_folder, tmp_path, modules=("q_proj",), layers_to_transform=[1], use_dora=True)
    checked = check(named, base)
    packed = pack("cid", checked, shape())
    gains = packed.blob[gains_start(packed.layout, shape()) :].view(3, -1)
    assert torch.equal(gains[1, :64], checked.pairs[1, "q_proj"].gain)
    gains[1, :64] = 1.0
    assert bool((gains == 1.0).all())
    assert packed.nbytes == packed.blob.numel() * 4


BAD = {
    "missing magnitude": (lambda t: t.pop(MAGNITUDE), refusals.PairIncomplete),
    "short magnitude": (lambda t: t.update({MAGNITUDE: torch.ones(63)}), refusals.ShapeMismatch),
    "nan": (lambda t: t[MAGNITUDE].fill_(float("nan")), refusals.NotFinite),
    "extra magnitude": (
        lambda t: t.update({MAGNITUDE.replace("layers.0", "layers.3"): torch.ones(64)}),
        refusals.TensorUnexpected,
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_magnitudes_are_refused(named, base, name):
    """SPEC 4.5"""
    change, refusal = BAD[name]
    with pytest.raises(refusal):
        check(changed(named, change), base)


def test_a_row_that_the_adapter_cancels_is_refused(base_folder, base, tmp_path):
    """SPEC 4.90: its direction is nothing, so no gain gives it a length."""
    named = saved_by_peft(base_folder, tmp_path, rank=1, alpha=1, modules=("q_proj",), use_dora=True)
    row = LlamaForCausalLM.from_pretrained(base_folder).model.layers[0].self_attn.q_proj.weight[3].detach()

    def cancel(tensors):
        down, up = (MAGNITUDE.replace("magnitude_vector", f"{side}.weight") for side in "AB")
        tensors[down].copy_(row)
        tensors[up][3] = -1.0

    with pytest.raises(refusals.NotFinite):
        check(changed(named, cancel), base)


def test_magnitudes_that_the_config_does_not_mention_are_refused(named, base):
    """SPEC 4.5"""
    config = {**json.loads(named["adapter_config.json"]), "use_dora": False}
    with pytest.raises(refusals.TensorUnexpected):
        check({**named, "adapter_config.json": json.dumps(config).encode()}, base)


def test_without_the_base_dora_is_refused(named):
    """SPEC 4.90: whoever cannot compute it, such as attribution, does not compute something else."""
    with pytest.raises(refusals.FeatureUnsupported):
        check(named, None)
