"""Adapters of every kind against PEFT, and in one batch against themselves alone."""

import random
from dataclasses import replace
from functools import cache

import pytest
import torch
from peft import PeftModel
from transformers import LlamaForCausalLM

from inference_worker.adapters.ensemble import combine
from inference_worker.adapters.quantised import quantise
from inference_worker.engine.linear import packing_works
from inference_worker.engine.model_runner import ModelRunner
from tests.inference_worker.adapters.peft_folders import config_dict, files, random_pairs, shape
from tests.inference_worker.adapters.peft_saved import saved_by_peft
from tests.inference_worker.engine.decoding import PROMPTS, greedy, load_adapter

STEPS = 16
TOLERANCE = 5e-4
KINDS = {
    "rank 2": {"rank": 2},
    "rank 3, alpha 7": {"rank": 3, "alpha": 7},
    "rank 4, rank-stabilised, alpha 0.9": {"rank": 4, "alpha": 0.9, "use_rslora": True},
    "one layer": {"layers_to_transform": 1, "modules": ("q_proj", "down_proj")},
    "dotted targets": {"modules": ("0.self_attn.v_proj", "layers.2.mlp.up_proj", "o_proj")},
    "patterns": {
        "rank_pattern": {"1.mlp.up_proj": 3, "up_proj": 16, "k_proj": 5},
        "alpha_pattern": {"model.layers.0.mlp.gate_proj": 3.3, "^model.layers.1.self_attn.q_proj": 1},
    },
    "dora": {"use_dora": True},
    "dora, rank 5, alpha 7": {"rank": 5, "alpha": 7, "use_dora": True},
    "dora, attention": {"rank": 3, "modules": ("q_proj", "v_proj"), "use_dora": True},
    "dora, one mlp": {"modules": ("up_proj",), "layers_to_transform": [0, 2], "use_dora": True},
    "dora, rank-stabilised, pattern": {"use_dora": True, "use_rslora": True, "rank_pattern": {"q_proj": 2}},
}


@pytest.fixture(scope="module")
def folders(base_folder, tmp_path_factory):
    return {name: tmp_path_factory.mktemp("adapter") for name in KINDS}


@pytest.fixture(scope="module")
def kinds(base_folder, base_rows, folders):
    """One adapter of each kind, saved by PEFT and loaded by our ingestion."""
    return {
        name: load_adapter(name, saved_by_peft(base_folder, folders[name], seed, **options), base_rows)
        for seed, (name, options) in enumerate(KINDS.items())
    }


@pytest.fixture(scope="module")
def alone(weights, kinds):
    """What each kind, or the base under None, gives with the batch to itself."""

    @cache
    def decode(index, name):
        return greedy(ModelRunner(weights), [(PROMPTS[index], kinds[name] if name else None)], STEPS)[0]

    return decode


def assert_same(actual, expected):
    assert actual.argmax(-1).tolist() == expected.argmax(-1).tolist()
    if packing_works():
        assert torch.equal(actual, expected)


def assert_like_peft(logits, model):
    """`logits` are those of prompt 3 and its greedy continuation."""
    tokens = [int(row.argmax()) for row in logits]
    with torch.no_grad():
        reference = model(torch.tensor([[*PROMPTS[3], *tokens[:-1]]])).logits[0, len(PROMPTS[3]) - 1 :]
    assert (logits - reference).abs().max() <= TOLERANCE
    assert tokens == reference.argmax(-1).tolist()


@pytest.mark.parametrize("name", KINDS)
def test_each_kind_equals_peft(alone, base_folder, folders, name):
    """SPEC 4.12, 4.15, 4.90"""
    logits = alone(3, name)
    model = PeftModel.from_pretrained(LlamaForCausalLM.from_pretrained(base_folder), folders[name])
    assert_like_peft(logits, model.eval())
    assert (logits[0] - alone(3, None)[0]).abs().max() > 0.05


NAMES = list(KINDS)
MIXES = [
    [*NAMES, None],
    [None, *reversed(NAMES)],
    ["dora", None, "rank 2", "dora"],
    ["dora, attention", "dora, one mlp", None],
    # Enough rows of one adapter to be read in place.
    [None, *["dora"] * 9, "one layer"],
]


@pytest.mark.parametrize("mix", MIXES, ids=range(len(MIXES)))
def test_kinds_mixed_in_a_batch_equal_each_alone(runner, kinds, alone, mix):
    """SPEC 4.13, 4.14, 4.90"""
    batch = [(PROMPTS[i % 8], kinds[name] if name else None) for i, name in enumerate(mix)]
    for i, (name, together) in enumerate(zip(mix, greedy(runner, batch, STEPS), strict=True)):
        assert_same(together, alone(i % 8, name))


SMALL = ["dora", "patterns", "rank 2", "dora, attention"]


@pytest.mark.parametrize("seed", [0, 1])
def test_int8_adapters_in_any_company_equal_themselves_alone(runner, kinds, seed):
    """SPEC 4.13, 4.14, 4.91: beside base rows, fp32 adapters of the same form, and enough rows to be read in
    place."""
    small = {name: replace(quantise(kinds[name], shape()), cid=f"int8 {name}") for name in SMALL}
    chosen = [*small.values(), *(kinds[name] for name in SMALL), *[small["dora"]] * 8, None, None]
    random.Random(seed).shuffle(chosen)
    batch = [(PROMPTS[i % 8], adapter) for i, adapter in enumerate(chosen)]
    for (prompt, adapter), together in zip(batch, greedy(runner, batch, 6), strict=True):
        assert_same(together, greedy(runner, [(prompt, adapter)], 6)[0])


@pytest.mark.parametrize("rank", [1, 8, 64])
def test_int8_moves_logits_by_little_of_what_the_adapter_moves_them(runner, rank):
    """SPEC 4.91: at a strength where the logits follow the weights nearly linearly."""
    weak = {n: t * 0.1 if ".lora_B." in n else t for n, t in random_pairs(rank, rank).items()}
    exact = load_adapter("weak", files(weak, config_dict(rank, 2 * rank)))
    moved = error = 0.0
    for prompt in PROMPTS:
        base, right, rounded = (
            runner.prefill(prompt, runner.new_cache(64), adapter)
            for adapter in (None, exact, quantise(exact, shape()))
        )
        moved += float((right - base).abs().mean())
        error += float((rounded - right).abs().mean())
    assert 0 < error <= 0.03 * moved


PARTS = {"rank 2": 0.3, "rank 3, alpha 7": 0.25, "one layer": 0.45}


def test_ensemble_equals_peft_concatenation(runner, kinds, base_folder, folders, tmp_path):
    """SPEC 4.92"""
    mixed = combine(
        "mixed", [(kinds[name], round(weight * 1_000_000)) for name, weight in PARTS.items()], shape()
    )
    first, *others = PARTS
    model = PeftModel.from_pretrained(
        LlamaForCausalLM.from_pretrained(base_folder), folders[first], adapter_name="0"
    )
    for place, name in enumerate(others, start=1):
        model.load_adapter(folders[name], adapter_name=str(place))
    model.add_weighted_adapter(["0", "1", "2"], list(PARTS.values()), "mixed", combination_type="cat")
    model.set_adapter("mixed")
    (logits,) = greedy(runner, [(PROMPTS[3], mixed)], STEPS)
    assert_like_peft(logits, model.eval())


def test_ensembles_in_a_batch_with_their_members_equal_themselves_alone(runner, kinds, alone):
    """SPEC 4.13, 4.14, 4.92"""
    mixed = combine("mixed", [(kinds["rank 2"], 400_000), (kinds["patterns"], 600_000)], shape())
    chosen = [mixed, kinds["rank 2"], None, mixed, kinds["patterns"], kinds["dora"]]
    together = greedy(runner, [(PROMPTS[i], adapter) for i, adapter in enumerate(chosen)], STEPS)
    for i, adapter in enumerate(chosen):
        if adapter is mixed:
            assert_same(together[i], greedy(runner, [(PROMPTS[i], mixed)], STEPS)[0])
        else:
            assert_same(together[i], alone(i, adapter.cid if adapter else None))
