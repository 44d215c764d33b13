"""One answer's mean loss under each of K adapters, forward only.

The adapters change the upper layers alone. So the layers below run once for all of them, and from the lowest
adapted layer on the answer stands in the batch once for each adapter, which meets its own row of the stack.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np
import torch
import torch.nn.functional as functional
from torch.nn.attention import SDPBackend, sdpa_kernel

from inference_worker.attribution.covariance import Floats
from inference_worker.attribution.gradients import LoraProbe, LoraWeights, layer_of
from inference_worker.base.exchange import Exchange, KeyValues, hidden_states, prefix_states

# Tokens of all adapters together in one pass, which bounds its memory.
TOKENS_PER_PASS = 8192
HEAD_ROWS = 256
# Keys and values of so much of a shared start are kept for each adapter.
MAX_KEPT_PREFIX = 64


class StackedLosses:
    """K adapters side by side on one base."""

    def __init__(self, model: Any, adapters: Sequence[LoraWeights], shared: Sequence[int]) -> None:
        """`shared` are the ids that questions begin with; where one does not, nothing is reused."""
        self._model = model
        self.count = len(adapters)
        self._probe = LoraProbe(model, adapters)
        self._first = min(layer_of(path) for path in adapters[0].modules())
        self._shared = tuple(shared[:MAX_KEPT_PREFIX])
        with self._spread(slice(0, self.count)):
            self._states = prefix_states(model, self._shared)

    def losses(self, exchange: Exchange) -> Floats:
        """(K,) mean -log p (nats) of the answer's tokens under each adapter."""
        skip = len(self._shared)
        begins = exchange.prompt[:skip] == self._shared and len(exchange.prompt) > skip
        skip, states = (skip, self._states) if begins else (0, ())
        at_once = max(1, TOKENS_PER_PASS // exchange.length)
        windows = [slice(low, low + at_once) for low in range(0, self.count, at_once)]
        parts = [self._mean_losses(exchange, skip, states, window) for window in windows]
        return np.concatenate(parts)

    def _mean_losses(self, exchange: Exchange, skip: int, states: KeyValues, window: slice) -> Floats:
        own = tuple(
            (keys, values) if layer < self._first else (keys[window], values[window])
            for layer, (keys, values) in enumerate(states)
        )
        with self._spread(window):
            hidden = hidden_states(self._model, [exchange], skip, own)
            start, count = len(exchange.prompt) - 1 - skip, len(exchange.answer)
            rows = hidden[:, start : start + count].flatten(0, 1)
            targets = torch.tensor(exchange.answer, device=rows.device).repeat(len(hidden))
            head = self._model.get_output_embeddings()
            # The logits of all adapters at once would be a hundred times what the pass itself takes.
            losses = [
                functional.cross_entropy(head(some).float(), wanted, reduction="none")
                for some, wanted in zip(
                    torch.split(rows, HEAD_ROWS), torch.split(targets, HEAD_ROWS), strict=True
                )
            ]
        means: Floats = torch.cat(losses).view(-1, count).double().mean(dim=1).cpu().numpy()
        return means

    @contextmanager
    def _spread(self, window: slice) -> Iterator[None]:
        """Inside, one row becomes as many as `window` has adapters at the lowest adapted layer."""
        layer = self._model.get_decoder().layers[self._first]
        rows = len(range(*window.indices(self.count)))

        def repeat(_module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
            return (args[0].expand(rows, -1, -1), *args[1:]), kwargs

        with ExitStack() as stack:
            stack.enter_context(self._probe.active(window))
            stack.enter_context(sdpa_kernel(SDPBackend.MATH))
            stack.callback(layer.register_forward_pre_hook(repeat, with_kwargs=True).remove)
            yield
