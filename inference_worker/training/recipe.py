"""How an adapter is trained: bounded numbers, and the digest that names the recipe on chain."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from decimal import Decimal, InvalidOperation

from inference_worker.attribution.method import MAX_ADAPTERS, MIN_ADAPTERS
from inference_worker.errors import RecipeInvalid
from protocol.canonical import canonical_json
from protocol.hashing import sha256, to_hex

LINEARS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
MAX_RANK = 64
MAX_PASSES = 50
MAX_BATCH = 256
MAX_LENGTH = 4096
MAX_CHECKPOINTS = 3
MAX_SUBSETS = 250
MAX_VALIDITY_ROWS = 1 << 20
MAX_LAYERS = 1024


@dataclass(frozen=True)
class Recipe:
    """`learning_rate` is a decimal string, since digests must not depend on how a float prints.

    `checkpoints` is how many of training's thirds, from the first, leave a snapshot for attribution (1 to
    3). The validity report retrains on `validity_subsets` halves of at most `validity_rows` rows and without
    each of the `validity_contributors` largest contributors, `validity_passes` times over them (0: as often
    as the adapter). `covariance_adapters` is how many throw-away adapters are trained on halves of the rows
    (0: none); each takes `covariance_passes` and changes the `covariance_layers` uppermost layers.
    """

    rank: int = 8
    alpha: int = 16
    target_modules: tuple[str, ...] = LINEARS
    passes: int = 3
    batch: int = 8
    learning_rate: str = "0.001"
    seed: int = 0
    max_length: int = 256
    checkpoints: int = 1
    validity_subsets: int = 4
    validity_contributors: int = 4
    validity_rows: int = 256
    validity_passes: int = 0
    covariance_adapters: int = 0
    covariance_passes: int = 1
    covariance_layers: int = 4

    def to_json(self) -> dict[str, object]:
        """Plain values, as they stand in a bundle's manifest."""
        return {**asdict(self), "target_modules": list(self.target_modules)}

    def digest(self) -> str:
        """0x-prefixed sha256 of the canonical JSON."""
        return to_hex(sha256(canonical_json(self.to_json())))


def parse_recipe(values: Mapping[str, object]) -> Recipe:
    """A recipe from plain values; missing ones take the defaults, unknown or unbounded ones raise
    RecipeInvalid.
    """
    unknown = sorted(set(values) - set(Recipe.__dataclass_fields__))
    if unknown:
        raise RecipeInvalid(unknown[0], values[unknown[0]], f"one of {sorted(Recipe.__dataclass_fields__)}")
    modules = values.get("target_modules", LINEARS)
    if not isinstance(modules, (list, tuple)) or not set(modules) <= set(LINEARS) or not modules:
        raise RecipeInvalid("target_modules", modules, f"some of {LINEARS}")
    return Recipe(
        rank=_bounded(values, "rank", 8, 1, MAX_RANK),
        alpha=_bounded(values, "alpha", 16, 1, 4 * MAX_RANK),
        target_modules=tuple(name for name in LINEARS if name in modules),
        passes=_bounded(values, "passes", 3, 1, MAX_PASSES),
        batch=_bounded(values, "batch", 8, 1, MAX_BATCH),
        learning_rate=_rate(values.get("learning_rate", "0.001")),
        seed=_bounded(values, "seed", 0, 0, 2**32 - 1),
        max_length=_bounded(values, "max_length", 256, 16, MAX_LENGTH),
        checkpoints=_bounded(values, "checkpoints", 1, 1, MAX_CHECKPOINTS),
        validity_subsets=_bounded(values, "validity_subsets", 4, 0, MAX_SUBSETS),
        validity_contributors=_bounded(values, "validity_contributors", 4, 0, MAX_SUBSETS),
        validity_rows=_bounded(values, "validity_rows", 256, 2, MAX_VALIDITY_ROWS),
        validity_passes=_bounded(values, "validity_passes", 0, 0, MAX_PASSES),
        covariance_adapters=_adapters(values.get("covariance_adapters", 0)),
        covariance_passes=_bounded(values, "covariance_passes", 1, 1, MAX_PASSES),
        covariance_layers=_bounded(values, "covariance_layers", 4, 1, MAX_LAYERS),
    )


def _bounded(values: Mapping[str, object], field: str, default: int, low: int, high: int) -> int:
    value = values.get(field, default)
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise RecipeInvalid(field, value, f"integer in [{low}, {high}]")
    return value


def _adapters(value: object) -> int:
    if type(value) is not int or (value != 0 and not MIN_ADAPTERS <= value <= MAX_ADAPTERS) or value % 2:
        allowed = f"0, or an even number in [{MIN_ADAPTERS}, {MAX_ADAPTERS}]"
        raise RecipeInvalid("covariance_adapters", value, allowed)
    return value


def _rate(value: object) -> str:
    try:
        rate = Decimal(str(value))
    except InvalidOperation:
        raise RecipeInvalid("learning_rate", value, "decimal") from None
    if not rate.is_finite() or not Decimal(0) < rate <= Decimal("0.1"):
        raise RecipeInvalid("learning_rate", value, "in (0, 0.1]")
    return format(rate.normalize(), "f")
