"""One answer's losses under K adapters: side by side, one after the other, and through the serving engine.

`python -m benchmarks.covariance_losses --base DIR [--adapters K] [--tokens N]`. The engine prefills the
question for each adapter and is then made to take the answer's tokens, all adapters in one batch. Adapters
are random. Times are the least of several runs, CPU seconds of one thread, so that other work on the machine
matters little.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from inference_worker.adapters.ingest import CheckedAdapter, LoraPair
from inference_worker.adapters.packing import PackedAdapter, pack
from inference_worker.adapters.shape import PARENTS, BaseShape
from inference_worker.attribution.covariance import Floats
from inference_worker.attribution.gradients import LoraProbe, LoraWeights
from inference_worker.attribution.stacked_losses import StackedLosses
from inference_worker.base.exchange import Exchange
from inference_worker.base.load import Base, load_base
from inference_worker.engine.linear import choose_linear
from inference_worker.engine.model_runner import DecodeRow, ModelRunner
from inference_worker.engine.weights import read_weights

RANK = 8
RUNS = 3
PROMPT_TOKENS = 40


def random_adapters(model: Any, count: int, layers: int) -> list[LoraWeights]:
    """Adapters on every linear of the uppermost `layers` layers."""
    drawn = torch.Generator().manual_seed(0)
    first = len(model.get_decoder().layers) - layers
    shapes = {
        f"model.layers.{layer}.{parent}.{name}": model.get_submodule(
            f"model.layers.{layer}.{parent}.{name}"
        ).weight.shape
        for layer in range(first, first + layers)
        for name, parent in PARENTS.items()
    }
    return [
        LoraWeights(
            {path: torch.randn(RANK, s[1], generator=drawn) / s[1] ** 0.5 for path, s in shapes.items()},
            {path: torch.randn(s[0], RANK, generator=drawn) * 0.02 for path, s in shapes.items()},
            2.0,
        )
        for _ in range(count)
    ]


def packed(name: str, weights: LoraWeights, shape: BaseShape) -> PackedAdapter:
    """The same adapter as the engine takes it."""
    pairs = {}
    for path in weights.modules():
        layer, module = int(path.split(".")[2]), path.rsplit(".", 1)[1]
        pairs[layer, module] = LoraPair(weights.a[path], weights.b[path], weights.scale)
    return pack(name, CheckedAdapter(pairs), shape)


def through_engine(runner: ModelRunner, adapters: Sequence[PackedAdapter], exchange: Exchange) -> Floats:
    """(K,) mean losses: a prefill for each adapter, then one decode step for each answer token."""
    caches = [runner.new_cache(exchange.length) for _ in adapters]
    prefills = zip(adapters, caches, strict=True)
    logits = torch.stack([runner.prefill(exchange.prompt, cache, adapter) for adapter, cache in prefills])
    losses = []
    for token in exchange.answer:
        losses.append(-torch.log_softmax(logits, dim=1)[:, token])
        if len(losses) < len(exchange.answer):
            rows = zip(caches, adapters, strict=True)
            logits = runner.decode([DecodeRow(token, cache, adapter) for cache, adapter in rows])
    for cache in caches:
        cache.release()
    found: Floats = torch.stack(losses).double().mean(dim=0).numpy()
    return found


def one_by_one(model: Any, adapters: Sequence[LoraWeights], exchange: Exchange) -> Floats:
    """(K,) mean losses, a whole pass for each adapter."""
    probes = (LoraProbe(model, [adapter]) for adapter in adapters)
    return np.array([float(probe.losses([exchange], 0, ())[0].mean()) for probe in probes])


def timed(compute: Callable[[], Floats]) -> tuple[float, Floats]:
    """Least CPU seconds of RUNS runs, and the losses."""
    best, found = float("inf"), np.zeros(0)
    for _ in range(RUNS):
        began = time.process_time()
        found = compute()
        best = min(best, time.process_time() - began)
    return best, found


def measure(base: Base, runner: ModelRunner, adapters: int, tokens: int, layers: int) -> str:
    """One line for adapters on so many upper layers; AssertionError where the ways disagree."""
    drawn = np.random.default_rng(1)
    ids = [int(i) for i in drawn.integers(10, 40_000, PROMPT_TOKENS + tokens)]
    exchange = Exchange(tuple(ids[:PROMPT_TOKENS]), tuple(ids[PROMPT_TOKENS:]))
    weights = random_adapters(base.model, adapters, layers)
    stacked = StackedLosses(base.model, weights, ())
    lanes = [packed(f"{layers}-{number}", one, runner.shape) for number, one in enumerate(weights)]
    side, together = timed(lambda: stacked.losses(exchange))
    apart, alone = timed(lambda: one_by_one(base.model, weights, exchange))
    engine, served = timed(lambda: through_engine(runner, lanes, exchange))
    assert np.allclose(together, alone, atol=1e-3), (together, alone)
    assert np.allclose(together, served, atol=1e-3), (together, served)
    return (
        f"{adapters} adapters, {layers} layers, {tokens} tokens: side by side {side:.2f} s, one by one "
        f"{apart:.2f} s ({apart / side:.1f}), engine {engine:.2f} s ({engine / side:.1f})"
    )


def main() -> None:
    """Measure adapters on few upper layers and on all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base", type=Path, required=True)
    parser.add_argument("--adapters", type=int, default=48)
    parser.add_argument("--tokens", type=int, default=50)
    options = parser.parse_args()
    torch.set_num_threads(1)
    base = load_base(options.base, "cpu")
    runner = ModelRunner(read_weights(options.base, choose_linear()[1]))
    for layers in (2, 4, len(base.model.get_decoder().layers)):
        print(measure(base, runner, options.adapters, options.tokens, layers), flush=True)


if __name__ == "__main__":
    main()
