"""The signs of an index's rows, computed anew from the rows themselves: what an audit compares.

A row's gradient at each checkpoint is taken alone, as its own term of the training objective, and folded by
the index's own sketch; clipping changes no sign.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from inference_worker.attribution.build import sketch_at
from inference_worker.attribution.gradients import LoraProbe, lora_weights
from inference_worker.attribution.index import AttributionIndex
from inference_worker.attribution.influence import unflatten
from inference_worker.attribution.point_codes import PointSketcher
from inference_worker.base.exchange import Exchange


def row_signs(
    model: Any, index: AttributionIndex, exchanges: Mapping[int, Exchange]
) -> dict[int, tuple[bytes, ...]]:
    """The packed signs of each row at each checkpoint, coordinate 0 in the highest bit."""
    sketchers = [_sketcher(model, index, number) for number in range(len(index.checkpoints))]
    return {row: _signs(sketchers, exchange) for row, exchange in exchanges.items()}


def _signs(sketchers: Sequence[PointSketcher], exchange: Exchange) -> tuple[bytes, ...]:
    return tuple(np.packbits(one.sketches([exchange])[0] > 0).tobytes() for one in sketchers)


def _sketcher(model: Any, index: AttributionIndex, number: int) -> PointSketcher:
    facts, point = index.facts, index.checkpoints[number]
    probe = LoraProbe(model, [lora_weights(unflatten(point.adapter, index), facts.alpha / facts.rank)])
    device = str(model.device)
    weights = torch.from_numpy(point.precondition.astype(np.float32)).to(model.device)
    sketch = sketch_at(facts, number, probe.parameter_count(), device)
    return PointSketcher(probe, weights, sketch, facts.shared, probe.states(facts.shared))
