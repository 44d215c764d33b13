"""Parses `adapter_config.json` against a closed schema and resolves rank and scale per module like PEFT does.

Pure. Keys that PEFT writes but that leave inference unchanged are accepted and dropped; keys that would
change the computation are accepted only at the value that does not; anything else is refused.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from inference_worker.adapters.refusals import ConfigKeyUnknown, ConfigMalformed, FeatureUnsupported, OverCap
from inference_worker.adapters.shape import PARENTS
from protocol.canonical import parse_json
from protocol.errors import JsonError

MAX_CONFIG_BYTES = 1 << 20
MAX_CONFIG_DEPTH = 8

_USED = {
    "peft_type", "r", "lora_alpha", "target_modules", "rank_pattern", "alpha_pattern", "use_rslora",
    "layers_to_transform",
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
    "use_dora": (False, None),
    "use_qalora": (False, None),
    "fan_in_fan_out": (False, None),
    "modules_to_save": (None, []),
    "layer_replication": (None, []),
    "trainable_token_indices": (None, [], {}),
    "target_parameters": (None, []),
    "exclude_modules": (None, []),
    "alora_invocation_tokens": (None, []),
    "arrow_config": (None,),
    "corda_config": (None,),
    "eva_config": (None,),
    "megatron_config": (None,),
    "auto_mapping": (None,),
    "loftq_config": (None, {}),
    "layers_pattern": (None, []),
    "monteclora_config": (None,),
    "velora_config": (None,),
}
# Read by PEFT only when the feature that owns it is on.
_COMPANIONS = {"megatron_core", "qalora_group_size"}
# PEFT reads pattern keys as regular expressions; only literal dotted names are taken, where both readings
# agree.
_PLAIN_NAME = re.compile(r"\^?[A-Za-z0-9_]+(\.[A-Za-z0-9_]+)*", re.ASCII)

_Number = TypeVar("_Number", int, float)


@dataclass(frozen=True)
class LoraConfig:
    """The part of a PEFT config that decides the forward pass."""

    rank: int
    alpha: float
    modules: tuple[str, ...]
    layers: tuple[int, ...] | None
    rank_pattern: tuple[tuple[str, int], ...]
    alpha_pattern: tuple[tuple[str, float], ...]
    rslora: bool

    def rank_of(self, layer: int, module: str) -> int:
        """Rank of one module after the pattern, first match wins."""
        return _match(self.rank_pattern, layer, module, self.rank)

    def scale_of(self, layer: int, module: str) -> float:
        """alpha / r, or alpha / sqrt(r) with rank-stabilised LoRA."""
        rank = self.rank_of(layer, module)
        alpha = _match(self.alpha_pattern, layer, module, self.alpha)
        return alpha / math.sqrt(rank) if self.rslora else alpha / rank

    def covers(self, layer: int) -> bool:
        """Whether the adapter touches this layer."""
        return self.layers is None or layer in self.layers


def parse_config(raw: bytes, layers: int, max_rank: int) -> LoraConfig:
    """Read and check a config for a base of `layers` layers; raises a typed refusal."""
    data = _load(raw)
    _check_keys(data)
    return LoraConfig(
        rank=_rank("r", data.get("r"), max_rank),
        alpha=_positive("lora_alpha", data.get("lora_alpha")),
        modules=_modules(data.get("target_modules")),
        layers=_layers(data.get("layers_to_transform"), layers),
        rank_pattern=_pattern(data, "rank_pattern", lambda k, v: _rank(k, v, max_rank)),
        alpha_pattern=_pattern(data, "alpha_pattern", _positive),
        rslora=_flag(data, "use_rslora"),
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
    value = data.get(key, False)
    if not isinstance(value, bool):
        raise ConfigMalformed(key, f"{value!r} is not a boolean")
    return value


def _modules(value: object) -> tuple[str, ...]:
    # A string would be a regular expression to PEFT; only the list form is taken.
    if not isinstance(value, list) or not value or not all(isinstance(v, str) for v in value):
        raise ConfigMalformed("target_modules", "must be a non-empty list of names")
    for name in value:
        if name not in PARENTS:
            raise FeatureUnsupported("target_modules", name)
    if len(set(value)) != len(value):
        raise ConfigMalformed("target_modules", "names a module twice")
    return tuple(sorted(value))


def _layers(value: object, count: int) -> tuple[int, ...] | None:
    if value is None:
        return None
    listed = [value] if type(value) is int else value
    if not isinstance(listed, list) or not all(type(v) is int and 0 <= v < count for v in listed):
        raise ConfigMalformed("layers_to_transform", f"{value!r} is not a list of layers below {count}")
    return tuple(sorted(set(listed)))


def _pattern(
    data: Mapping[str, Any], key: str, check: Callable[[str, object], _Number]
) -> tuple[tuple[str, _Number], ...]:
    value = data.get(key) or {}
    if not isinstance(value, dict):
        raise ConfigMalformed(key, "is not an object")
    for name in value:
        if not _PLAIN_NAME.fullmatch(name):
            raise FeatureUnsupported(key, name)
    return tuple((name, check(key, v)) for name, v in value.items())


def _match(pattern: tuple[tuple[str, _Number], ...], layer: int, module: str, default: _Number) -> _Number:
    path = f"model.layers.{layer}.{PARENTS[module]}.{module}"
    for name, value in pattern:
        if path == name.removeprefix("^") or (name[0] != "^" and path.endswith("." + name)):
            return value
    return default
