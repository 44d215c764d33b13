"""A base in fewer bits is the fp32 engine over rounded weights: its products, its ends, and DoRA gains."""

from typing import get_args

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import LlamaForCausalLM

from inference_worker.adapters.base_rows import BaseRows
from inference_worker.adapters.ingest import Caps, ingest
from inference_worker.adapters.packing import gains_start, pack
from inference_worker.engine import base_dtype
from inference_worker.engine.base_dtype import BaseDtype, BaseDtypeUnsupported, kernel_of
from inference_worker.engine.linear import choose_linear, packing_works
from inference_worker.engine.model_runner import ModelRunner
from inference_worker.engine.profile import profile_id
from inference_worker.engine.weights import CONFIG_FILE, WEIGHTS_FILE, read_base, read_shape, read_weights
from tests.inference_worker.adapters.peft_folders import (
    FINGERPRINT,
    config_dict,
    files,
    random_pairs,
    tiny_config,
)
from tests.inference_worker.adapters.peft_saved import saved_by_peft
from tests.inference_worker.engine.decoding import PROMPTS, greedy

DTYPES = get_args(BaseDtype)
FEWER = DTYPES[1:]
# Of the largest logit: what rounding the rows between the weights costs, two int8 digits or one bf16.
ROWS_COST = {"float32": 0.0, "bfloat16": 2e-2, "int8": 5e-4, "int4": 2e-2}
BLIND = {"float32": packing_works(), "bfloat16": packing_works(torch.bfloat16), "int8": True, "int4": True}


def kernel(dtype):
    """The dtype's kernel, or a skip that says why."""
    try:
        return kernel_of(dtype)
    except BaseDtypeUnsupported as unsupported:
        pytest.skip(str(unsupported))


@pytest.fixture(scope="module", params=[True, False], ids=["tied", "untied"])
def folder(request, tmp_path_factory):
    """A base whose inputs all divide into groups."""
    path = tmp_path_factory.mktemp("grouped")
    config = tiny_config(request.param)
    config.intermediate_size = 128
    torch.manual_seed(4)
    LlamaForCausalLM(config).save_pretrained(str(path))
    return path


def widened_folder(folder, dtype, out):
    """The same base with the weights stored in fp32 that `dtype` stands for."""
    held = kernel(dtype)
    ends = kernel("int8" if dtype == "int4" else dtype)
    tensors = load_file(folder / WEIGHTS_FILE)
    for name, tensor in tensors.items():
        if tensor.dim() == 2:
            rounding = held if "layers" in name else ends
            tensors[name] = rounding.widened(tensor).contiguous()
    save_file(tensors, out / WEIGHTS_FILE, metadata={"format": "pt"})
    (out / CONFIG_FILE).write_bytes((folder / CONFIG_FILE).read_bytes())
    return out


def all_modules(folder, seed):
    shape = read_shape(folder)
    pairs = random_pairs(seed, 8, dims=shape.dims)
    return pack(f"a{seed}", ingest(files(pairs, config_dict()), shape, FINGERPRINT, Caps()), shape)


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_base_in_fewer_bits_is_the_fp32_engine_over_its_widened_weights(folder, dtype, tmp_path):
    """SPEC 4.170"""
    ours = ModelRunner(read_base(folder, kernel(dtype)))
    naive = ModelRunner(read_weights(widened_folder(folder, dtype, tmp_path), choose_linear()[1]))
    for prompt, adapter in ((PROMPTS[0], None), (PROMPTS[5], all_modules(folder, 1))):
        actual = ours.prefill(prompt, ours.new_cache(64), adapter)
        expected = naive.prefill(prompt, naive.new_cache(64), adapter)
        assert (actual - expected).abs().max() <= ROWS_COST[dtype] * expected.abs().max()


@pytest.mark.parametrize("dtype", DTYPES)
def test_rows_keep_their_bits_in_any_company(folder, dtype):
    """SPEC 4.172"""
    runner = ModelRunner(read_base(folder, kernel(dtype)))
    if not BLIND[dtype]:
        pytest.skip(f"no kernel for {dtype} here whose rows are blind to company")
    adapters = [all_modules(folder, 1), None, all_modules(folder, 2), None]
    batch = [(PROMPTS[i], adapter) for i, adapter in enumerate(adapters)]
    for one, together in zip(batch, greedy(runner, batch, 6), strict=True):
        assert torch.equal(together, greedy(runner, [one], 6)[0])


@pytest.mark.parametrize("dtype", DTYPES)
def test_gains_are_those_of_the_weights_that_multiply(folder, dtype, tmp_path):
    """SPEC 4.171"""
    named = saved_by_peft(folder, tmp_path, 3, use_dora=True)
    shape, stored = read_shape(folder), tmp_path / "stored"
    stored.mkdir()
    here = BaseRows(folder / WEIGHTS_FILE, kernel(dtype).widened)
    there = BaseRows(widened_folder(folder, dtype, stored) / WEIGHTS_FILE)
    ours, naive = (
        pack("dora", ingest(named, shape, FINGERPRINT, Caps(), base), shape) for base in (here, there)
    )
    assert torch.equal(ours.blob, naive.blob)
    plain = pack("dora", ingest(named, shape, FINGERPRINT, Caps(), BaseRows(folder / WEIGHTS_FILE)), shape)
    start = gains_start(ours.layout, shape)
    assert torch.equal(ours.blob[:start], plain.blob[:start])
    assert torch.equal(ours.blob, plain.blob) == (dtype == "float32")


def weights_and_outputs(shape):
    """Numbers and outputs of the layers' linear weights together."""
    dims = [shape.dims(module) for module in ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj")]
    dims.append(shape.dims("down_proj"))
    return shape.layers * sum(i * o for i, o in dims), shape.layers * sum(o for _, o in dims)


@pytest.mark.parametrize("dtype", DTYPES)
def test_bytes_are_those_of_the_numbers_and_their_scales(folder, dtype):
    """SPEC 4.173"""
    weights = read_base(folder, kernel(dtype))
    shape = weights.shape
    numbers, outputs = weights_and_outputs(shape)
    ends = shape.vocab * shape.hidden
    norms = 4 * shape.hidden * (2 * shape.layers + 1)
    int8_ends = (1 if shape.tied_head else 2) * (ends + 4 * shape.vocab)
    expected = {
        # A packed head is a copy, so the table stands beside it even where they are tied.
        "float32": 4 * numbers + 2 * 4 * ends,
        "bfloat16": 2 * numbers + 2 * 2 * ends,
        "int8": numbers + 4 * outputs + int8_ends,
        "int4": numbers // 2 + numbers // 32 * 4 + int8_ends,
    }[dtype]
    if dtype == "float32" and not packing_works() and shape.tied_head:
        expected -= 4 * ends
    assert weights.nbytes == expected + norms


def test_each_dtype_has_a_profile_of_its_own():
    """SPEC 4.28, 4.173"""
    ids = {profile_id(kernel(dtype).name, 32, 256, "float32", dtype) for dtype in DTYPES}
    assert len(ids) == len(DTYPES)
    name, linear = choose_linear()
    assert profile_id(name, 32, 256) in ids and kernel_of("float32").linear is linear


@pytest.mark.parametrize("dtype", ["int8", "int4"])
def test_a_dtype_without_a_right_kernel_is_refused(monkeypatch, dtype):
    """SPEC 4.173"""
    monkeypatch.setattr(base_dtype, f"{dtype}_works", lambda: False)
    with pytest.raises(BaseDtypeUnsupported, match="choose float32"):
        kernel_of(dtype)
