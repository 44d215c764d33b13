"""The throw-away adapters of an index's covariance path, side by side as its head holds them.

They are never served. All are of one shape: the served adapter's, in its uppermost layers alone. What they
may take in memory is bounded before they are trained, and again before they are read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from inference_worker.attribution.gradients import LoraWeights, layer_of, lora_weights
from inference_worker.attribution.method import MAX_ADAPTERS, MIN_ADAPTERS
from inference_worker.errors import IndexCorrupt

# In fp32, as a query holds them.
MAX_RESIDENT_BYTES = 256 << 20

Tensors = Mapping[str, torch.Tensor]


@dataclass(frozen=True)
class TensorShapes:
    """Names and shapes of an adapter's tensors, in the order of its flat form."""

    names: tuple[str, ...]
    shapes: tuple[tuple[int, int], ...]

    def from_layer(self, first: int) -> TensorShapes:
        """Those of the decoder layers from `first` on."""
        kept = [pair for pair in zip(self.names, self.shapes, strict=True) if layer_of(pair[0]) >= first]
        return TensorShapes(tuple(name for name, _ in kept), tuple(shape for _, shape in kept))

    @property
    def parameters(self) -> int:
        """Numbers of one adapter."""
        return sum(a * b for a, b in self.shapes)


@dataclass(frozen=True)
class Throwaways:
    """`flat` is (K, parameters) float16 of the layers from `first_layer` on; `level` (K,) float32 the rows'
    mean loss under each.
    """

    first_layer: int
    flat: npt.NDArray[np.float16]
    level: npt.NDArray[np.float32]

    def weights(self, served: TensorShapes, scale: float) -> list[LoraWeights]:
        """The adapters in order, fp32; `served` is what the adapter as served is made of."""
        own = served.from_layer(self.first_layer)
        sizes = [a * b for a, b in own.shapes]
        found = []
        for row in self.flat:
            parts = torch.split(torch.from_numpy(row.astype(np.float32)), sizes)
            named = zip(own.names, parts, own.shapes, strict=True)
            found.append(lora_weights({name: part.view(shape) for name, part, shape in named}, scale))
        return found


def resident_bytes(adapters: int, parameters: int) -> int:
    """What a query holds of so many adapters."""
    return 4 * adapters * parameters


def stack(adapters: Sequence[Tensors], served: TensorShapes, first_layer: int) -> npt.NDArray[np.float16]:
    """(K, parameters) of adapters under PEFT's names."""
    names = served.from_layer(first_layer).names
    rows = [torch.cat([one[name].flatten() for name in names]).half().numpy() for one in adapters]
    return np.stack(rows)


def check_throwaways(found: Throwaways, served: TensorShapes) -> Throwaways:
    """The same; IndexCorrupt for what does not fit together, or would not fit in memory."""
    parameters = served.from_layer(found.first_layer).parameters
    count = len(found.flat)
    if count % 2 or not MIN_ADAPTERS <= count <= MAX_ADAPTERS:
        allowed = f"an even number from {MIN_ADAPTERS} to {MAX_ADAPTERS}"
        raise IndexCorrupt("throw-away adapters", allowed, count)
    if found.flat.shape != (count, parameters) or parameters == 0 or found.level.shape != (count,):
        actual = found.flat.shape, found.level.shape
        raise IndexCorrupt("shapes of throw-away adapters", ((count, parameters), (count,)), actual)
    if resident_bytes(count, parameters) > MAX_RESIDENT_BYTES:
        raise IndexCorrupt("bytes of adapters", MAX_RESIDENT_BYTES, resident_bytes(count, parameters))
    if not (np.isfinite(found.flat).all() and np.isfinite(found.level).all()):
        raise IndexCorrupt("throw-away adapters", "finite numbers", "others")
    return found
