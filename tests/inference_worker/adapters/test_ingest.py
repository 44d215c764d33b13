"""Ingestion: each way of being wrong has its own refusal, and no file of an adapter is ever executed."""

import json
import pickle

import pytest
import torch
from safetensors.torch import save

from inference_worker.adapters import refusals
from inference_worker.adapters.ingest import Caps, ingest
from inference_worker.training.publish import BundleFacts, bundle_files
from inference_worker.training.recipe import Recipe
from tests.inference_worker.adapters.peft_folders import (
    FINGERPRINT,
    adapter_files,
    config_dict,
    files,
    manifest,
    random_pairs,
    shape,
    tensor_name,
)

A0 = tensor_name(0, "q_proj", "A")
B0 = tensor_name(0, "q_proj", "B")


def check(named, caps=None):
    return ingest(named, shape(), FINGERPRINT, caps or Caps())


def with_tensors(change):
    tensors = random_pairs(1, 8)
    change(tensors)
    return files(tensors, config_dict())


def poison(value):
    def change(tensors):
        tensors[B0][3, 5] = value

    return change


class Canary:
    """Pickled, it would create a file when loaded."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


def test_good_adapter_keeps_its_tensors():
    """SPEC 4.5"""
    tensors = random_pairs(1, 8)
    checked = check(files(tensors, config_dict(rank=8, alpha=16)))
    assert len(checked.pairs) == 3 * 7
    pair = checked.pairs[(0, "q_proj")]
    assert torch.equal(pair.down, tensors[A0])
    assert torch.equal(pair.up, tensors[B0])
    assert pair.scale == 2.0


BAD_TENSORS = {
    "nan": (poison(float("nan")), refusals.NotFinite),
    "infinity": (poison(float("inf")), refusals.NotFinite),
    "missing B": (lambda t: t.pop(B0), refusals.PairIncomplete),
    "missing A": (lambda t: t.pop(A0), refusals.PairIncomplete),
    "wrong inputs": (lambda t: t.update({A0: torch.ones(8, 60)}), refusals.ShapeMismatch),
    "wrong rank": (lambda t: t.update({A0: torch.ones(4, 64)}), refusals.ShapeMismatch),
    "transposed": (lambda t: t.update({B0: t[B0].t().contiguous()}), refusals.ShapeMismatch),
    "extra tensor": (lambda t: t.update({"lm_head.weight": torch.ones(2)}), refusals.TensorUnexpected),
    "wrong prefix": (
        lambda t: t.update({A0.replace("base_model.", ""): t.pop(A0)}),
        refusals.TensorUnexpected,
    ),
    "layer beyond": (
        lambda t: t.update({tensor_name(3, "q_proj", "A"): t[A0].clone()}),
        refusals.TensorUnexpected,
    ),
    "dora magnitude": (
        lambda t: t.update({A0.replace("lora_A.weight", "lora_magnitude_vector"): torch.ones(64)}),
        refusals.TensorUnexpected,
    ),
}


@pytest.mark.parametrize("name", BAD_TENSORS)
def test_bad_tensors_are_refused_each_by_its_type(name):
    """SPEC 4.5"""
    change, refusal = BAD_TENSORS[name]
    with pytest.raises(refusal):
        check(with_tensors(change))


def test_a_scale_that_leaves_fp32_is_refused():
    """SPEC 4.5: each number is finite, their product would not be."""
    tensors = random_pairs(1, 8)
    tensors[B0][0, 0] = 3e38
    with pytest.raises(refusals.NotFinite):
        check(files(tensors, config_dict(rank=8, alpha=16)))


def test_an_adapter_of_nothing_is_refused():
    """SPEC 4.5"""
    config = config_dict(target_modules=["1.mlp.up_proj"], layers_to_transform=[0])
    with pytest.raises(refusals.ConfigMalformed):
        check(files({}, config))


@pytest.mark.parametrize("claimed", [2**62, 2**64 - 1, 64 * 1024 * 1024])
def test_a_header_that_claims_to_be_huge_is_refused_by_its_claim(claimed):
    """SPEC 4.6"""
    named = adapter_files()
    named["adapter_model.safetensors"] = (
        claimed.to_bytes(8, "little") + named["adapter_model.safetensors"][8:]
    )
    with pytest.raises(refusals.OverCap):
        check(named)


def test_a_tensor_that_claims_to_be_huge_is_refused_by_its_claim():
    """SPEC 4.4"""
    header = json.dumps({A0: {"dtype": "F32", "shape": [2**31, 2**31], "data_offsets": [0, 2**64]}}).encode()
    weights = len(header).to_bytes(8, "little") + header
    with pytest.raises(refusals.TensorFileMalformed):
        check({**adapter_files(), "adapter_model.safetensors": weights})


@pytest.mark.parametrize("name", ["adapter_config.json", "adapter_model.safetensors", "manifest.json"])
def test_missing_files_are_refused(name):
    """SPEC 4.2"""
    named = adapter_files()
    del named[name]
    with pytest.raises(refusals.FileMissing):
        check(named)


@pytest.mark.parametrize(
    "name",
    ["adapter_model.bin", "x.pt", "../manifest.json", "model.py", "tokenizer.json", "", "README.md\0", "a/b"],
)
def test_other_file_names_are_refused(name):
    """SPEC 4.2"""
    with pytest.raises(refusals.FileNotAllowed):
        check({**adapter_files(), name: b"x"})


@pytest.mark.parametrize(
    "position", ["adapter_model.bin", "adapter_model.safetensors", "adapter_config.json", "manifest.json"]
)
def test_a_pickle_in_any_position_is_never_loaded(tmp_path, monkeypatch, position):
    """SPEC 4.2"""
    canary = tmp_path / "canary"
    monkeypatch.setattr(torch, "load", lambda *a, **k: pytest.fail("torch.load was called"))
    with pytest.raises(refusals.AdapterRefused):
        check({**adapter_files(), position: pickle.dumps(Canary(canary))})
    assert not canary.exists()


def test_truncated_weights_are_refused():
    """SPEC 4.4"""
    named = adapter_files()
    named["adapter_model.safetensors"] = named["adapter_model.safetensors"][:-10]
    with pytest.raises(refusals.TensorFileMalformed):
        check(named)


def test_integer_weights_are_refused():
    """SPEC 4.4"""
    tensors = {name: t.to(torch.int32) for name, t in random_pairs(1, 8).items()}
    with pytest.raises(refusals.TensorFileMalformed):
        check({**adapter_files(), "adapter_model.safetensors": save(tensors)})


@pytest.mark.parametrize(
    "caps",
    [Caps(total_bytes=1000), Caps(text_bytes=10), Caps(header_bytes=100), Caps(rank=4), Caps(modules=20)],
)
def test_each_cap_is_enforced(caps):
    """SPEC 4.6"""
    with pytest.raises(refusals.OverCap):
        check(adapter_files(), caps)


def test_adapter_of_another_base_is_refused():
    """SPEC 4.7"""
    with pytest.raises(refusals.WrongBase) as refusal:
        check({**adapter_files(), "manifest.json": manifest("0x" + "00" * 32)})
    assert refusal.value.expected == FINGERPRINT


@pytest.mark.parametrize("fingerprint", ["\x1b[2J", "a\r\nb", "\u202e0xab"])
def test_what_a_refusal_quotes_cannot_steer_a_terminal(fingerprint):
    """SPEC 4.8"""
    with pytest.raises(refusals.WrongBase) as refusal:
        check({**adapter_files(), "manifest.json": manifest(fingerprint)})
    assert str(refusal.value).isprintable() and refusal.value.actual == fingerprint


@pytest.mark.parametrize("raw", [b"", b"[]", b"{}", b'{"base_fingerprint":1}', b'{"a":1,"a":2}'])
def test_manifest_without_a_base_is_refused(raw):
    """SPEC 4.7"""
    with pytest.raises((refusals.WrongBase, refusals.BundleMalformed)):
        check({**adapter_files(), "manifest.json": raw})


def test_codes_are_distinct():
    """SPEC 4.8"""
    kinds = refusals.AdapterRefused.__subclasses__()
    assert len({kind.code for kind in kinds}) == len(kinds) >= 13


def test_half_precision_weights_are_widened_exactly():
    """SPEC 4.5"""
    tensors = {name: t.to(torch.bfloat16) for name, t in random_pairs(1, 8).items()}
    checked = check(files(tensors, config_dict()))
    assert torch.equal(checked.pairs[(0, "q_proj")].down, tensors[A0].float())


def test_bundles_that_training_publishes_are_served():
    """SPEC 4.3, 4.5: the two ends of the worker agree about the files between them."""
    recipe = Recipe(rank=8, alpha=16)
    facts = BundleFacts("tiny", FINGERPRINT, "0x" + "cd" * 32, "manifest", "index", recipe)
    checked = check(bundle_files(random_pairs(1, 8), "# card", facts))
    assert len(checked.pairs) == 3 * 7
    assert {pair.scale for pair in checked.pairs.values()} == {2.0}
