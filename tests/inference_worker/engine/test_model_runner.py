"""The forward pass against PEFT, and against itself in other company."""

import json
import random

import pytest
import torch
from peft import PeftModel
from transformers import LlamaForCausalLM

from inference_worker.adapters.shape import BaseUnsupported, shape_of
from inference_worker.engine.linear import packing_works, plain_linear
from inference_worker.engine.model_runner import DecodeRow, ModelRunner
from inference_worker.engine.weights import read_shape, read_weights
from tests.inference_worker.adapters.peft_folders import (
    ALL_MODULES,
    adapter_files,
    config_dict,
    files,
    random_pairs,
    shape,
    tiny_config,
    write_base,
)
from tests.inference_worker.engine.decoding import PROMPTS, greedy, load_adapter

STEPS = 16
REFERENCE_STEPS = 64
TOLERANCE = 5e-4


def reference_logits(model, prompt, output):
    """Logits of a full forward pass after the prompt and after each further token."""
    with torch.no_grad():
        return model(torch.tensor([[*prompt, *output]])).logits[0, len(prompt) - 1 :]


def peft_model(base_folder, named, folder):
    for name, data in named.items():
        (folder / name).write_bytes(data)
    return PeftModel.from_pretrained(LlamaForCausalLM.from_pretrained(base_folder), folder).eval()


def assert_like_reference(runner, model, prompt, adapter):
    (logits,) = greedy(runner, [(prompt, adapter)], REFERENCE_STEPS)
    tokens = [int(row.argmax()) for row in logits]
    reference = reference_logits(model, prompt, tokens[:-1])
    assert (logits - reference).abs().max() <= TOLERANCE
    assert tokens == reference.argmax(-1).tolist()


RANK_PATTERN = {"q_proj": 4, "layers.1.mlp.up_proj": 3}
VARIANTS = {
    "all modules": adapter_files(seed=3, rank=8),
    **{f"rank {rank}": adapter_files(seed=4, rank=rank) for rank in (1, 2, 3, 4, 5, 16, 64)},
    "attention only": adapter_files(seed=7, modules=("q_proj", "v_proj")),
    "mlp only": adapter_files(seed=8, modules=("gate_proj", "up_proj", "down_proj")),
    "one module": adapter_files(seed=9, modules=("o_proj",)),
    "rank-stabilised": files(random_pairs(10, 8), config_dict(8, 5, use_rslora=True)),
    "layers 0 and 2": files(random_pairs(11, 8, layers=(0, 2)), config_dict(layers_to_transform=[0, 2])),
    "patterns": files(
        random_pairs(
            12,
            8,
            rank_of=lambda layer, module: {"q_proj": 4}.get(
                module, 3 if (layer, module) == (1, "up_proj") else 8
            ),
        ),
        config_dict(rank_pattern=RANK_PATTERN, alpha_pattern={"down_proj": 3.5}),
    ),
}


@pytest.mark.parametrize("name", VARIANTS)
def test_adapter_alone_equals_peft(runner, base_folder, tmp_path, name):
    """SPEC 4.12, 4.15"""
    model = peft_model(base_folder, VARIANTS[name], tmp_path)
    assert_like_reference(runner, model, PROMPTS[2], load_adapter(name, VARIANTS[name]))


@pytest.mark.parametrize("tied", [True, False])
def test_base_alone_equals_transformers(tmp_path, tied):
    """SPEC 4.12"""
    folder = write_base(tmp_path, seed=5, tied=tied)
    runner = ModelRunner(read_weights(folder, plain_linear))
    assert_like_reference(runner, LlamaForCausalLM.from_pretrained(folder).eval(), PROMPTS[3], None)


def test_adapters_change_the_answer(runner, adapters):
    """SPEC 4.12: the comparisons above would also pass if adapters did nothing; they do something."""
    (base,) = greedy(runner, [(PROMPTS[1], None)], STEPS)
    for adapter in adapters:
        (adapted,) = greedy(runner, [(PROMPTS[1], adapter)], STEPS)
        assert (adapted[0] - base[0]).abs().max() > 0.05


COMPOSITIONS = [
    [0, 1, 2, 3, 4, 5, 6, 7],
    [7, 6, 5, 4, 3, 2, 1, 0],
    [3, 1],
    [5, 0, 7],
    [2, 2, 2, 2, 2, 0],
    [0, 0, 0, *[7] * 9],
    *(random.Random(size).choices(range(8), k=size) for size in (1, 13, 33, 64)),
]


@pytest.mark.parametrize("composition", COMPOSITIONS, ids=str)
def test_mixed_batch_equals_each_alone(runner, adapters, composition):
    """SPEC 4.13: with the packed kernel even the bits are equal, for ranks and modules mixed in one step."""
    alone = {i: greedy(runner, [(PROMPTS[i], adapters[i])], STEPS)[0] for i in set(composition)}
    mixed = greedy(runner, [(PROMPTS[i], adapters[i]) for i in composition], STEPS)
    for i, logits in zip(composition, mixed, strict=True):
        assert logits.argmax(-1).tolist() == alone[i].argmax(-1).tolist()
        if packing_works():
            assert torch.equal(logits, alone[i])


@pytest.mark.parametrize("base_rows", [[0], [0, 3, 7], [7], list(range(8))])
def test_base_rows_among_adapters_equal_the_base_alone(runner, adapters, base_rows):
    """SPEC 4.14"""
    batch = [(PROMPTS[i], None if i in base_rows else adapters[i]) for i in range(8)]
    mixed = greedy(runner, batch, STEPS)
    for i in base_rows:
        (alone,) = greedy(runner, [(PROMPTS[i], None)], STEPS)
        assert mixed[i].argmax(-1).tolist() == alone.argmax(-1).tolist()
        if packing_works():
            assert torch.equal(mixed[i], alone)


def test_rows_that_come_and_go_do_not_disturb_the_others(runner, adapters):
    """SPEC 4.16: lanes are reused by other adapters while one row streams on."""
    (alone,) = greedy(runner, [(PROMPTS[0], adapters[0])], STEPS)
    cache = runner.new_cache(64)
    seen = [runner.prefill(PROMPTS[0], cache, adapters[0])]
    for step in range(STEPS):
        others = [adapters[(step + k) % 7 + 1] for k in range(step % 4)]
        rows = [DecodeRow(1, primed(runner, a), a) for a in others]
        mine = DecodeRow(int(seen[-1].argmax()), cache, adapters[0])
        position = step % (len(rows) + 1)
        logits = runner.decode([*rows[:position], mine, *rows[position:]])
        seen.append(logits[position].clone())
    assert torch.stack(seen).argmax(-1).tolist() == alone.argmax(-1).tolist()
    if packing_works():
        assert torch.equal(torch.stack(seen), alone)


def primed(runner, adapter):
    cache = runner.new_cache(8)
    runner.prefill([5, 6], cache, adapter)
    return cache


def test_a_row_of_nan_stays_in_its_row(runner, adapters):
    """SPEC 4.17: even an adapter that slipped past ingestion cannot reach its neighbours, then or later."""
    broken = load_adapter("broken", rank=8, seed=1)
    broken.blob.fill_(float("nan"))
    alone = [greedy(runner, [(PROMPTS[i], adapters[i])], 4)[0] for i in (0, 1)]
    batch = [(PROMPTS[0], adapters[0]), (PROMPTS[5], broken), (PROMPTS[1], adapters[1])]
    mixed = greedy(runner, batch, 4)
    assert bool(mixed[1].isnan().all())
    assert torch.equal(mixed[0], alone[0]) and torch.equal(mixed[2], alone[1])
    assert torch.equal(greedy(runner, [(PROMPTS[0], adapters[0])], 4)[0], alone[0])


@pytest.mark.parametrize("cut", [1, 4, 7])
def test_prompt_in_pieces_equals_the_whole(runner, adapters, cut):
    """SPEC 4.12"""
    prompt = PROMPTS[4]
    whole = runner.prefill(prompt, runner.new_cache(32), adapters[0])
    cache = runner.new_cache(32)
    runner.prefill(prompt[:cut], cache, adapters[0])
    assert (runner.prefill(prompt[cut:], cache, adapters[0]) - whole).abs().max() <= TOLERANCE


def test_shape_is_read_from_the_config(base_folder):
    """SPEC 4.5"""
    assert read_shape(base_folder) == shape()
    assert {m: shape().dims(m) for m in ALL_MODULES}["k_proj"] == (64, 32)


@pytest.mark.parametrize(
    "change",
    [
        {"model_type": "mistral"},
        {"attention_bias": True},
        {"hidden_act": "gelu"},
        {"rope_parameters": {"rope_type": "llama3", "rope_theta": 1.0}},
    ],
)
def test_other_architectures_are_refused(change):
    """SPEC 4.5"""
    config = {**json.loads(tiny_config().to_json_string()), **change}
    with pytest.raises(BaseUnsupported):
        shape_of(config)
