"""The config schema: what PEFT writes is read like PEFT reads it, and everything else is refused."""

import json

import pytest
from peft import LoraConfig as PeftConfig
from peft.tuners.tuners_utils import check_target_module_exists
from peft.utils.other import get_pattern_key

from inference_worker.adapters.lora_config import parse_config
from inference_worker.adapters.module_names import known_names
from inference_worker.adapters.refusals import ConfigKeyUnknown, ConfigMalformed, FeatureUnsupported, OverCap
from inference_worker.adapters.shape import PARENTS
from tests.inference_worker.adapters.peft_folders import config_dict


def parse(config):
    return parse_config(json.dumps(config).encode(), layers=3, vocab=260, max_rank=64)


def test_every_key_that_peft_writes_is_known(tmp_path):
    """SPEC 4.3: the config that PEFT itself saves with default features is served."""
    PeftConfig(r=4, lora_alpha=8, target_modules=["q_proj", "v_proj"], task_type="CAUSAL_LM").save_pretrained(
        tmp_path
    )
    config = parse_config((tmp_path / "adapter_config.json").read_bytes(), layers=3, vocab=260, max_rank=64)
    assert (config.rank, config.targets) == (4, {"q_proj", "v_proj"})


@pytest.mark.parametrize(
    "change",
    [
        {"bias": "all"},
        {"bias": "lora_only"},
        {"lora_bias": True},
        {"modules_to_save": ["lm_head"]},
        {"fan_in_fan_out": True},
        {"layer_replication": [[0, 2]]},
        {"init_lora_weights": "pissa"},
        {"init_lora_weights": "loftq"},
        {"alora_invocation_tokens": [1, 2], "use_dora": True},
        {"auto_mapping": {"base_model_class": "X"}},
        {"trainable_token_indices": [1]},
        {"peft_type": "IA3"},
        {"target_modules": ["lm_head"]},
        {"target_modules": ["q_proj", "embed_tokens"]},
        {"rank_pattern": {"(a+)+b": 4}},
        {"alpha_pattern": {".*": 4}},
        {"alpha_pattern": {"q.proj": 4}},
        {"rank_pattern": {"layers.3.mlp.up_proj": 4}},
        {"target_modules": ["mlp.q_proj"]},
        {"target_modules": ["model.layers.3.self_attn.q_proj"]},
    ],
)
def test_features_that_change_the_computation_are_refused(change):
    """SPEC 4.3"""
    with pytest.raises(FeatureUnsupported):
        parse(config_dict(**change))


@pytest.mark.parametrize("key", ["auto_map", "trust_remote_code", "r_", "", "custom_code"])
def test_unknown_keys_are_refused(key):
    """SPEC 4.3"""
    with pytest.raises(ConfigKeyUnknown):
        parse(config_dict(**{key: "x"}))


@pytest.mark.parametrize(
    "change",
    [
        {"r": 0},
        {"r": -1},
        {"r": "8"},
        {"r": 8.0},
        {"r": True},
        {"lora_alpha": None},
        {"lora_alpha": -1},
        {"lora_alpha": 1e300},
        {"target_modules": ".*q_proj"},
        {"target_modules": []},
        {"target_modules": ["q_proj", "q_proj"]},
        {"target_modules": [1]},
        {"layers_to_transform": [3]},
        {"layers_to_transform": "0"},
        {"use_rslora": "yes"},
        {"use_dora": 1},
        {"rank_pattern": [4]},
        {"rank_pattern": {"q_proj": 0}},
        {"alora_invocation_tokens": []},
        {"alora_invocation_tokens": [260]},
        {"alora_invocation_tokens": [-1]},
        {"alora_invocation_tokens": [1, 2.0]},
        {"alora_invocation_tokens": [True]},
        {"alora_invocation_tokens": [[1]]},
        {"alora_invocation_tokens": ["1"]},
        {"alora_invocation_tokens": "[1]"},
        {"alora_invocation_tokens": 1},
        {"alora_invocation_tokens": {"1": 1}},
    ],
)
def test_wrong_types_and_ranges_are_refused(change):
    """SPEC 4.3, 4.212"""
    with pytest.raises(ConfigMalformed):
        parse(config_dict(**change))


@pytest.mark.parametrize("raw", [b"", b"[]", b"{", b"\xff", b'{"r":1,"r":2}', b"[" * 100_000])
def test_bytes_that_are_not_one_object_are_refused(raw):
    """SPEC 4.3"""
    with pytest.raises(ConfigMalformed):
        parse_config(raw, layers=3, vocab=260, max_rank=64)


@pytest.mark.parametrize(
    "change",
    [
        {"r": 65},
        {"r": 10**4},
        {"rank_pattern": {"q_proj": 65}},
        {"alora_invocation_tokens": [1] * 65},
    ],
)
def test_ranks_above_the_cap_are_refused(change):
    """SPEC 4.6, 4.212"""
    with pytest.raises(OverCap):
        parse(config_dict(**change))


@pytest.mark.parametrize("tokens", [[0], [259], list(range(64))])
def test_invocation_tokens_are_those_that_peft_saves(tmp_path, tokens):
    """SPEC 4.212"""
    PeftConfig(
        r=4, target_modules=["q_proj"], task_type="CAUSAL_LM", alora_invocation_tokens=tokens
    ).save_pretrained(tmp_path)
    raw = (tmp_path / "adapter_config.json").read_bytes()
    assert parse_config(raw, layers=3, vocab=260, max_rank=64).invocation == tuple(tokens)


PATHS = [
    (layer, module, f"model.layers.{layer}.{PARENTS[module]}.{module}")
    for layer in range(3)
    for module in PARENTS
]


@pytest.mark.parametrize("rslora", [False, True])
def test_patterns_resolve_like_peft(rslora):
    """SPEC 4.15: the first entry that matches counts, however specific the later ones are."""
    rank_pattern = {
        "layers.1.self_attn.q_proj": 4,
        "1.mlp.down_proj": 2,
        "q_proj": 16,
        "model.layers.2.self_attn.q_proj": 7,
        "^model.layers.2.mlp.up_proj": 3,
        "^q_proj": 5,
        "mlp.up_proj": 6,
    }
    alpha_pattern = {"up_proj": 5, "model.layers.0.self_attn.v_proj": 7.5, "self_attn.v_proj": 0.3}
    config = parse(config_dict(rank_pattern=rank_pattern, alpha_pattern=alpha_pattern, use_rslora=rslora))
    for layer, module, path in PATHS:
        rank = rank_pattern.get(get_pattern_key(rank_pattern, path), 8)
        alpha = alpha_pattern.get(get_pattern_key(alpha_pattern, path), 16)
        assert config.rank_of(layer, module) == rank
        assert config.scale_of(layer, module) == (alpha / rank**0.5 if rslora else alpha / rank)


@pytest.mark.parametrize("name", sorted(known_names(12)))
def test_a_known_name_means_the_same_to_peft_as_to_us(name):
    """SPEC 4.15: PEFT reads a name as a regular expression, whose dots match any character."""
    config = parse_config(
        json.dumps(config_dict(rank_pattern={name: 3})).encode(), layers=12, vocab=260, max_rank=64
    )
    for layer in range(12):
        for module, parent in PARENTS.items():
            path = f"model.layers.{layer}.{parent}.{module}"
            assert (config.rank_of(layer, module) == 3) == (get_pattern_key([name], path) == name)


@pytest.mark.parametrize(
    ("targets", "layers"),
    [
        (["q_proj", "v_proj"], None),
        (["q_proj", "down_proj"], [0, 2]),
        (["o_proj"], 1),
        (["up_proj"], []),
        (["1.self_attn.k_proj", "mlp.gate_proj"], None),
        (["layers.2.self_attn.k_proj", "down_proj"], [0, 2]),
        (["model.layers.1.self_attn.q_proj", "v_proj"], [0]),
    ],
)
def test_targets_select_the_modules_that_peft_selects(targets, layers):
    """SPEC 4.15: also a whole path in a layer that layers_to_transform leaves out."""
    config = parse(config_dict(target_modules=targets, layers_to_transform=layers))
    reference = PeftConfig(target_modules=targets, layers_to_transform=layers)
    for layer, module, path in PATHS:
        selected = module in config.modules_of(layer)
        assert selected == bool(check_target_module_exists(reference, path))
