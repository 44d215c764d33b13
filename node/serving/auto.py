"""The model `auto`: the specialist whose measured gain over the base covers the prompt, else the base.

A specialist stands for election if the whole interval of its measured gain is above zero, and is taken for a
prompt that is as near to what it was measured on as its own questions are to each other. Nothing is drawn,
learnt or guessed: the same prompt, models and measurements give the same choice, and the choice says why.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from node.errors import NotFound
from node.models.contracts import ModelStatus
from node.models.registry import ModelRegistry, RegisteredModel
from node.serving.likeness import Likeness
from node.serving.measured import Measured, Measurements
from node.serving.model import ServedModel

# Of a domain's questions this share is as near to another one there as is asked of a prompt.
COVERED_PERCENT = 95
# Questions that have nothing to do with each other make a domain that would take in everything. Prompts of
# no domain reach 0.27 by the words that every question has (ADR 16).
LEAST_LIKENESS = 0.3
MAX_PROMPTS = 512


@dataclass(frozen=True)
class Route:
    """Which model, by name@version, and why in one sentence."""

    model: str
    reason: str


class Router:
    """Chooses among measured specialists of one base; built once for a set of measurements."""

    def __init__(self, base: str, specialists: Sequence[Measured]) -> None:
        self._base = base
        self._better = {one.name: one for one in specialists if one.gain.low_ppm > 0}
        self._likeness = Likeness({name: _sample(one.prompts) for name, one in self._better.items()})
        self._needed = {name: _needed(self._likeness.within(name)) for name in self._better}

    def route(self, prompt: str) -> Route:
        """The nearest of the specialists whose questions cover the prompt; of equally near ones the one
        with the larger lower end of its gain, then the one registered first.
        """
        found = self._likeness.nearest(prompt)
        if not found:
            return Route(self._base, self._why_not())
        best = min(found, key=lambda name: (found[name] < self._needed[name], *self._order(name, found)))
        told = f"likeness {found[best]:.3f} to its questions, {self._needed[best]:.3f} needed"
        if found[best] < self._needed[best]:
            return Route(self._base, f"no specialist was measured on such a prompt: {best} has {told}")
        return Route(best, f"measured gain {self._better[best].gain}; {told}")

    def _order(self, name: str, found: dict[str, float]) -> tuple[float, int, int]:
        one = self._better[name]
        return -found[name], -one.gain.low_ppm, one.model_id

    def _why_not(self) -> str:
        if not self._better:
            return "no specialist is measured to be better than the base"
        return f"the prompt shares no word with the questions of {', '.join(sorted(self._better))}"


class Named(Protocol):
    """Where models are found by name."""

    def find(self, name: str) -> ServedModel: ...


class AutoCatalog:
    """Satisfies `node.serving.model.Catalog`: models by name from `catalog`, and the choice of `auto`."""

    def __init__(self, catalog: Named, registry: ModelRegistry, measurements: Measurements) -> None:
        self._catalog = catalog
        self._registry = registry
        self._measurements = measurements
        self._lock = threading.Lock()
        self._built: tuple[object, Router] | None = None

    def find(self, name: str) -> ServedModel:
        """The model of this name. Raises NotFound."""
        return self._catalog.find(name)

    def choose(self, prompt: str) -> ServedModel:
        """The model for a prompt, with the reason in it. Raises NotFound where no bare base is live here."""
        route = self._router().route(prompt)
        return replace(self._catalog.find(route.model), chosen=route.reason)

    def _router(self) -> Router:
        models = self._registry.models()
        base = _base_of(models)
        measured = [one for one in self._measurements.of(models) if one.base_id == base.terms.base_id]
        key = (base.id, [(one.name, one.held_out, one.gain) for one in measured])
        with self._lock:
            if self._built is None or self._built[0] != key:
                self._built = (key, Router(f"{base.name}@{base.version}", measured))
            return self._built[1]


def _base_of(models: Sequence[RegisteredModel]) -> RegisteredModel:
    bare = [one for one in models if one.terms.bundle is None and one.status is ModelStatus.LIVE]
    if not bare:
        raise NotFound(
            "auto has no base to fall back on; register a live model without a bundle, or name a model",
            models=len(models),
        )
    return min(bare, key=lambda one: one.id)


def _needed(within: Sequence[float]) -> float:
    return max(LEAST_LIKENESS, within[len(within) * (100 - COVERED_PERCENT) // 100])


def _sample(prompts: Sequence[str]) -> list[str]:
    step = -(-len(prompts) // MAX_PROMPTS)
    return list(prompts[:: max(step, 1)])
