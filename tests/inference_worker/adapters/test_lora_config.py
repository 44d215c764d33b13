"""The config schema: what PEFT writes is read like PEFT reads it, and everything else is refused."""

import json

import pytest
from peft import LoraConfig as PeftConfig
from peft.utils.other import get_pattern_key

from inference_worker.adapters.lora_config import parse_config
from inference_worker.adapters.refusals import ConfigKeyUnknown, ConfigMalformed, FeatureUnsupported, OverCap
from tests.inference_worker.adapters.peft_folders import config_dict


def parse(config):
    return parse_config(json.dumps(config).encode(), layers=3, max_rank=64)


def test_every_key_that_peft_writes_is_known(tmp_path):
    """SPEC 4.3: the config that PEFT itself saves with default features is served."""
    PeftConfig(r=4, lora_alpha=8, target_modules=["q_proj", "v_proj"], task_type="CAUSAL_LM").save_pretrained(
        tmp_path
    )
    config = parse_config((tmp_path / "adapter_config.json").read_bytes(), layers=3, max_rank=64)
    assert (config.rank, config.modules) == (4, ("q_proj", "v_proj"))


@pytest.mark.parametrize(
    "change",
    [
        {"use_dora": True},
        {"bias": "all"},
        {"bias": "lora_only"},
        {"lora_bias": True},
        {"modules_to_save": ["lm_head"]},
        {"fan_in_fan_out": True},
        {"use_dora": 1},
        {"layer_replication": [[0, 2]]},
        {"init_lora_weights": "pissa"},
        {"init_lora_weights": "loftq"},
        {"alora_invocation_tokens": [1, 2]},
        {"auto_mapping": {"base_model_class": "X"}},
        {"trainable_token_indices": [1]},
        {"peft_type": "IA3"},
        {"target_modules": ["lm_head"]},
        {"target_modules": ["q_proj", "embed_tokens"]},
        {"rank_pattern": {"(a+)+b": 4}},
        {"alpha_pattern": {".*": 4}},
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
        {"rank_pattern": [4]},
        {"rank_pattern": {"q_proj": 0}},
    ],
)
def test_wrong_types_and_ranges_are_refused(change):
    """SPEC 4.3"""
    with pytest.raises(ConfigMalformed):
        parse(config_dict(**change))


@pytest.mark.parametrize("raw", [b"", b"[]", b"{", b"\xff", b'{"r":1,"r":2}', b"[" * 100_000])
def test_bytes_that_are_not_one_object_are_refused(raw):
    """SPEC 4.3"""
    with pytest.raises(ConfigMalformed):
        parse_config(raw, layers=3, max_rank=64)


@pytest.mark.parametrize("change", [{"r": 65}, {"r": 10**4}, {"rank_pattern": {"q_proj": 65}}])
def test_ranks_above_the_cap_are_refused(change):
    """SPEC 4.6"""
    with pytest.raises(OverCap):
        parse(config_dict(**change))


@pytest.mark.parametrize("rslora", [False, True])
def test_patterns_resolve_like_peft(rslora):
    """SPEC 4.15"""
    rank_pattern = {"layers.1.self_attn.q_proj": 4, "q_proj": 16, "^model.layers.2.mlp.up_proj": 3}
    alpha_pattern = {"up_proj": 5, "model.layers.0.self_attn.v_proj": 7.5}
    config = parse(config_dict(rank_pattern=rank_pattern, alpha_pattern=alpha_pattern, use_rslora=rslora))
    for layer in range(3):
        for module, parent in (("q_proj", "self_attn"), ("v_proj", "self_attn"), ("up_proj", "mlp")):
            path = f"model.layers.{layer}.{parent}.{module}"
            rank = rank_pattern.get(get_pattern_key(rank_pattern, path), 8)
            alpha = alpha_pattern.get(get_pattern_key(alpha_pattern, path), 16)
            assert config.rank_of(layer, module) == rank
            assert config.scale_of(layer, module) == (alpha / rank**0.5 if rslora else alpha / rank)
