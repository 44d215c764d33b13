"""Parses `adapter_config.json` against a closed schema and resolves rank and scale per module like PEFT does.

Pure. Keys that PEFT writes but that leave inference unchanged are accepted and dropped; keys that would
change the computation are accepted only at the value that does not; anything else is refused.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from inference_worker.adapters.module_names import Number, Pattern, known_names, names_of, path_of
from inference_worker.adapters.refusals import ConfigKeyUnknown, ConfigMalformed, FeatureUnsupported, OverCap
from inference_worker.adapters.shape import PARENTS
from protocol.canonical import parse_json
from protocol.errors import JsonError

MAX_CONFIG_BYTES = 1 << 20
MAX_CONFIG_DEPTH = 8
MAX_INVOCATION_TOKENS = 64

_USED = {
    "peft_type", "r", "lora_alpha", "target_modules", "rank_pattern", "alpha_pattern", "use_rslora",
    "layers_to_transform", "use_dora", "alora_invocation_tokens",
}  # fmt: skip
# Training-time or descriptive only: the forward pass does not read them.
_INERT = {
    "task_type", "base_model_name_or_path", "revision", "inference_mode", "lora_dropout", "peft_version",
    "lora_ga_config",
}  # fmt: skip
# Each of these changes the forward pass unless it has a value of the tuple.
_NEUTRAL: dict[str, tuple[object, ...]] = {
    # PiSSA, OLoRA, LoftQ and CorDA also change the base's own weights at initialisation.
    "init_lora_weights": (True, False, "gaussian", "orthogonal"),
    "ensure_weight_tying": (False, None),
    "use_bdlora": (None, False),
    "kasa_config": (None,),
    "bias": ("none", None),
    "lora_bias": (False, None),
    "use_qalora": (False, None),
    "fan_in_fan_out": (False, None),
    "modules_to_save": (None, []),
    "layer_replication": (None, []),
    "trainable_token_indices": (None, [], {}),
    "target_parameters": (None, []),
    "exclude_modules": (None, []),
    "arrow_config": (None,),
    "corda_config": (None,),
    "eva_config": (None,),
    "megatron_config": (None,),
    "auto_mapping": (None,),
    "loftq_config": (None, {}),
    "layers_pattern": (None, [], "layers", ["layers"]),
    "monteclora_config": (None,),
    "velora_config": (None,),
}
# Read by PEFT only when the feature that owns it is on.
_COMPANIONS = {"megatron_core", "qalora_group_size"}


@dataclass(frozen=True)
class LoraConfig:
    """The part of a PEFT config that decides the forward pass.

    `invocation` are the token ids from whose last occurrence in a prompt on an aLoRA adapter applies; empty
    for an adapter that applies everywhere.
    """

    rank: int
    alpha: float
    targets: frozenset[str]
    layers: tuple[int, ...] | None
    ranks: Pattern[int]
    alphas: Pattern[float]
    rslora: bool
    dora: bool
    invocation: tuple[int, ...]

    def rank_of(self, layer: int, module: str) -> int:
        """Rank of one module after the pattern, first match wins."""
        return self.ranks.value_of(layer, module, self.rank)

    def scale_of(self, layer: int, module: str) -> float:
        """alpha / r, or alpha / sqrt(r) with rank-stabilised LoRA."""
        rank = self.rank_of(layer, module)
        alpha = self.alphas.value_of(layer, module, self.alpha)
        return alpha / math.sqrt(rank) if self.rslora else alpha / rank

    def modules_of(self, layer: int) -> Iterator[str]:
        """The adapted modules of a layer; a module targeted by its whole path is so in any layer."""
        covered = self.layers is None or layer in self.layers
        for module in PARENTS:
            path = path_of(layer, module)
            if path in self.targets or (covered and not self.targets.isdisjoint(names_of(path))):
                yield module


def parse_config(raw: bytes, layers: int, vocab: int, max_rank: int) -> LoraConfig:
    """Read and check a config for a base of `layers` layers and `vocab` token ids; raises a typed refusal."""
    data = _load(raw)
    _check_keys(data)
    return LoraConfig(
        rank=_rank("r", data.get("r"), max_rank),
        alpha=_positive("lora_alpha", data.get("lora_alpha")),
        targets=_targets(data.get("target_modules"), known_names(layers)),
        layers=_layers(data.get("layers_to_transform"), layers),
        ranks=_pattern(data, "rank_pattern", known_names(layers), lambda k, v: _rank(k, v, max_rank)),
        alphas=_pattern(data, "alpha_pattern", known_names(layers), _positive),
        rslora=_flag(data, "use_rslora"),
        dora=_flag(data, "use_dora"),
        invocation=_invocation(data, vocab),
    )


def _load(raw: bytes) -> dict[str, Any]:
    try:
        data = parse_json(raw, MAX_CONFIG_BYTES, MAX_CONFIG_DEPTH)
    except JsonError as error:
        raise ConfigMalformed("", f"not JSON: {error}") from error
    if not isinstance(data, dict):
        raise ConfigMalformed("", "not an object")
    return data


def _check_keys(data: Mapping[str, Any]) -> None:
    for key, value in data.items():
        if key in _NEUTRAL:
            if not any(value == neutral and type(value) is type(neutral) for neutral in _NEUTRAL[key]):
                raise FeatureUnsupported(key, value)
        elif key not in _USED | _INERT | _COMPANIONS:
            raise ConfigKeyUnknown(key)
    if data.get("peft_type") != "LORA":
        raise FeatureUnsupported("peft_type", data.get("peft_type"))


def _rank(key: str, value: object, cap: int) -> int:
    if type(value) is not int or value < 1:
        raise ConfigMalformed(key, f"rank {value!r} is not a positive integer")
    if value > cap:
        raise OverCap(f"rank {key!r}", value, cap)
    return value


def _positive(key: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e6:
        raise ConfigMalformed(key, f"{value!r} is not a number in (0, 1e6)")
    return float(value)


def _flag(data: Mapping[str, Any], key: str) -> bool:
    value = data.get(key)
    if value is None:
        return False
    if not isinstance(value, bool):
        raise ConfigMalformed(key, f"{value!r} is not a boolean")
    return value


def _invocation(data: Mapping[str, Any], vocab: int) -> tuple[int, ...]:
    key = "alora_invocation_tokens"
    value = data.get(key)
    if value is None:
        return ()
    if not isinstance(value, list) or not value:
        raise ConfigMalformed(key, "must be null or a non-empty list of token ids")
    if len(value) > MAX_INVOCATION_TOKENS:
        raise OverCap(key, len(value), MAX_INVOCATION_TOKENS)
    for token in value:
        if type(token) is not int or not 0 <= token < vocab:
            raise ConfigMalformed(key, f"{token!r:.40} is not a token id from 0 to {vocab - 1}")
    if data.get("use_dora"):
        # PEFT has no such variant either, so there is nothing that it would have to equal.
        raise FeatureUnsupported("alora_invocation_tokens with use_dora", True)
    return tuple(value)


def _targets(value: object, known: frozenset[str]) -> frozenset[str]:
    # A string would be a regular expression to PEFT; only the list form is taken.
    if not isinstance(value, list) or not value or not all(isinstance(v, str) for v in value):
        raise ConfigMalformed("target_modules", "must be a non-empty list of names")
    for name in value:
        if name not in known:
            raise FeatureUnsupported("target_modules", name)
    if len(set(value)) != len(value):
        raise ConfigMalformed("target_modules", "names a module twice")
    return frozenset(value)


def _layers(value: object, count: int) -> tuple[int, ...] | None:
    # PEFT takes an empty list for "all layers".
    if value is None or value == []:
        return None
    listed = [value] if type(value) is int else value
    if not isinstance(listed, list) or not all(type(v) is int and 0 <= v < count for v in listed):
        raise ConfigMalformed("layers_to_transform", f"{value!r} is not a list of layers below {count}")
    return tuple(sorted(set(listed)))


def _pattern(
    data: Mapping[str, Any], key: str, known: frozenset[str], check: Callable[[str, object], Number]
) -> Pattern[Number]:
    value = data.get(key) or {}
    if not isinstance(value, dict):
        raise ConfigMalformed(key, "is not an object")
    for name in value:
        if name.removeprefix("^") not in known:
            raise FeatureUnsupported(key, name)
    return Pattern({name: (place, check(key, v)) for place, (name, v) in enumerate(value.items())})
