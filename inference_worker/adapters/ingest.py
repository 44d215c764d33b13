"""Turns the bytes of a PEFT adapter folder into checked tensors, or refuses them with a typed reason.

Nothing here runs code from the adapter: no pickle, no regular expression, no PEFT loader, no native parser;
the bytes of the tensors are taken where `protocol.tensor_file` has found them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import torch

from inference_worker.adapters.base_rows import BaseRows
from inference_worker.adapters.dora import Target, gains_of
from inference_worker.adapters.lora_config import LoraConfig, parse_config
from inference_worker.adapters.refusals import (
    BundleMalformed,
    ConfigMalformed,
    FeatureUnsupported,
    FileMissing,
    FileNotAllowed,
    NotFinite,
    OverCap,
    PairIncomplete,
    ShapeMismatch,
    TensorFileMalformed,
    TensorUnexpected,
    WrongBase,
)
from inference_worker.adapters.shape import PARENTS, BaseShape
from inference_worker.adapters.tensors import numbers_of, tensors_of
from protocol.canonical import parse_json
from protocol.errors import ProtocolError, TensorFileError, TensorFileOverCap
from protocol.tensor_file import TensorEntry, read_tensor_file

CONFIG_FILE = "adapter_config.json"
WEIGHTS_FILE = "adapter_model.safetensors"
MANIFEST_FILE = "manifest.json"
ALLOWED_FILES = frozenset({CONFIG_FILE, WEIGHTS_FILE, MANIFEST_FILE, "README.md", "validity.json"})
_REQUIRED = (CONFIG_FILE, WEIGHTS_FILE, MANIFEST_FILE)
_PREFIX = "base_model.model.model.layers."


@dataclass(frozen=True)
class Caps:
    """Upper bounds on what one adapter may bring; sizes in bytes."""

    total_bytes: int = 512 * 1024 * 1024
    text_bytes: int = 1024 * 1024
    header_bytes: int = 4 * 1024 * 1024
    rank: int = 64
    modules: int = 1024


@dataclass(frozen=True)
class LoraPair:
    """One adapted module, fp32: `down` is (rank, inputs), `up` is (outputs, rank), `scale` multiplies the
    product. `gain`, (outputs,), multiplies the sum of base and product; None is one."""

    down: torch.Tensor
    up: torch.Tensor
    scale: float
    gain: torch.Tensor | None = None


@dataclass(frozen=True)
class CheckedAdapter:
    """The pairs of an adapter by (layer, module name), and the tokens that invoke an aLoRA adapter."""

    pairs: Mapping[Target, LoraPair]
    invocation: tuple[int, ...] = ()


def check_names(names: Iterable[str]) -> None:
    """Refuse a listing before its bytes are fetched: only allowed names, and all the required ones."""
    listed = list(names)
    for name in listed:
        if name not in ALLOWED_FILES:
            raise FileNotAllowed(name)
    for name in _REQUIRED:
        if name not in listed:
            raise FileMissing(name)


def ingest(
    files: Mapping[str, bytes], shape: BaseShape, fingerprint: str, caps: Caps, base: BaseRows | None = None
) -> CheckedAdapter:
    """Check an adapter's files against the base `fingerprint` and return its tensors.

    DoRA needs the `base` itself and is refused without it. Raises a subclass of AdapterRefused for the first
    rule broken.
    """
    check_names(list(files))
    _check_sizes(files, caps)
    _check_base(files[MANIFEST_FILE], fingerprint, caps)
    config = parse_config(files[CONFIG_FILE], shape.layers, shape.vocab, caps.rank)
    if config.dora and base is None:
        raise FeatureUnsupported("use_dora", True)
    targets = _targets(config, shape, caps)
    entries = _entries(files[WEIGHTS_FILE], caps)
    _check_tensors(entries, _expected_shapes(config, targets, shape))
    numbers = numbers_of(files[WEIGHTS_FILE], entries)
    tensors = tensors_of(numbers, entries)
    pairs = {target: _pair(tensors, config, *target) for target in targets}
    if not _surely_finite(numbers, max(pair.scale for pair in pairs.values())):
        _check_finite(tensors, pairs)
    if config.dora and base:
        pairs = _with_gains(pairs, tensors, base)
    return CheckedAdapter(pairs, config.invocation)


def _surely_finite(numbers: torch.Tensor, scale: float) -> bool:
    # One pass for all tensors: asking each of some hundreds costs several times as much.
    least, most = torch.aminmax(numbers)
    return bool(torch.isfinite(torch.maximum(-least, most) * max(scale, 1.0)))


def _check_finite(tensors: Mapping[str, torch.Tensor], pairs: Mapping[Target, LoraPair]) -> None:
    for name, tensor in tensors.items():
        if not bool(torch.isfinite(tensor).all()):
            raise NotFinite(name)
    for target, pair in pairs.items():
        # The scale is folded into `up` later; a product beyond fp32 would be infinite then.
        if not bool(torch.isfinite(pair.up * pair.scale).all()):
            raise NotFinite(_name(*target, "B"))


def _pair(tensors: Mapping[str, torch.Tensor], config: LoraConfig, layer: int, module: str) -> LoraPair:
    down, up = (tensors[_name(layer, module, side)] for side in "AB")
    return LoraPair(down, up, config.scale_of(layer, module))


def _with_gains(
    pairs: Mapping[Target, LoraPair], tensors: Mapping[str, torch.Tensor], base: BaseRows
) -> dict[Target, LoraPair]:
    magnitudes = {target: tensors[_magnitude_name(*target)] for target in pairs}
    gains = gains_of(base, {t: (pair.down, pair.up * pair.scale) for t, pair in pairs.items()}, magnitudes)
    for target, gain in gains.items():
        if not bool(torch.isfinite(gain).all()):
            raise NotFinite(_magnitude_name(*target))
    return {target: replace(pair, gain=gains[target]) for target, pair in pairs.items()}


def _check_sizes(files: Mapping[str, bytes], caps: Caps) -> None:
    total = sum(len(data) for data in files.values())
    if total > caps.total_bytes:
        raise OverCap("bundle bytes", total, caps.total_bytes)
    for name, data in files.items():
        if name != WEIGHTS_FILE and len(data) > caps.text_bytes:
            raise OverCap(f"bytes of {name}", len(data), caps.text_bytes)


def _check_base(raw: bytes, fingerprint: str, caps: Caps) -> None:
    try:
        manifest = parse_json(raw, caps.text_bytes, 32)
    except ProtocolError as error:
        raise BundleMalformed(f"{MANIFEST_FILE}: {error}") from error
    actual = manifest.get("base_fingerprint") if isinstance(manifest, dict) else None
    if actual != fingerprint:
        raise WrongBase(fingerprint, str(actual))


def _targets(config: LoraConfig, shape: BaseShape, caps: Caps) -> tuple[Target, ...]:
    found = tuple((layer, m) for layer in range(shape.layers) for m in config.modules_of(layer))
    if not found:
        raise ConfigMalformed("target_modules", "selects no module in the layers of the base")
    if len(found) > caps.modules:
        raise OverCap("modules", len(found), caps.modules)
    return found


def _name(layer: int, module: str, side: str) -> str:
    return f"{_PREFIX}{layer}.{PARENTS[module]}.{module}.lora_{side}.weight"


def _magnitude_name(layer: int, module: str) -> str:
    return f"{_PREFIX}{layer}.{PARENTS[module]}.{module}.lora_magnitude_vector"


def _expected_shapes(
    config: LoraConfig, targets: Iterable[Target], shape: BaseShape
) -> dict[str, tuple[int, ...]]:
    expected: dict[str, tuple[int, ...]] = {}
    for layer, module in targets:
        inputs, outputs = shape.dims(module)
        rank = config.rank_of(layer, module)
        expected[_name(layer, module, "A")] = (rank, inputs)
        expected[_name(layer, module, "B")] = (outputs, rank)
        if config.dora:
            expected[_magnitude_name(layer, module)] = (outputs,)
    return expected


def _entries(weights: bytes, caps: Caps) -> tuple[TensorEntry, ...]:
    try:
        return read_tensor_file(weights, caps.header_bytes, 3 * caps.modules)
    except TensorFileOverCap as error:
        raise OverCap(f"safetensors {error.what}", error.actual, error.cap) from error
    except TensorFileError as error:
        raise TensorFileMalformed(str(error)) from error


def _check_tensors(entries: tuple[TensorEntry, ...], expected: Mapping[str, tuple[int, ...]]) -> None:
    found = {tensor.name: tensor.shape for tensor in entries}
    for name in found:
        if name not in expected:
            raise TensorUnexpected(name)
    for name, wanted in expected.items():
        if name not in found:
            raise PairIncomplete(name)
        if found[name] != wanted:
            raise ShapeMismatch(name, wanted, found[name])
