"""Random bases and adapters, made on the device from a seed, so that nothing large needs to be brought."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from inference_worker.adapters.packed_file import NewPages, plain_pages
from inference_worker.adapters.packing import Layout, PackedAdapter, gains_start
from inference_worker.adapters.shape import GROUPS, BaseShape
from inference_worker.engine.linear import plain_linear
from inference_worker.engine.weights import BaseWeights, LayerWeights

# As Llama 3.1 8B and Llama 3.2 1B; fewer positions, for no sequence here is longer.
SHAPES = {
    "1b": BaseShape(16, 2048, 8192, 32, 8, 64, 128_256, 4096, 500_000.0, 1e-5, True),
    "8b": BaseShape(32, 4096, 14_336, 32, 8, 128, 128_256, 4096, 500_000.0, 1e-5, False),
    "tiny": BaseShape(2, 64, 112, 4, 2, 16, 512, 512, 10_000.0, 1e-5, False),
}
_SPREAD = 0.02


@dataclass(frozen=True)
class _Table:
    numbers: torch.Tensor

    def __getitem__(self, tokens: torch.Tensor, /) -> torch.Tensor:
        return self.numbers[tokens].float()


def random_weights(shape: BaseShape, device: torch.device, dtype: torch.dtype, seed: int = 0) -> BaseWeights:
    """A base of this shape; the same seed on the same kind of device gives the same one."""
    generator = torch.Generator(device).manual_seed(seed)

    def matrix(rows: int, columns: int) -> torch.Tensor:
        return torch.empty(rows, columns, dtype=dtype, device=device).normal_(0, _SPREAD, generator=generator)

    def layer() -> LayerWeights:
        products = (
            matrix(sum(shape.dims(m)[1] for m in modules), shape.dims(modules[0])[0]) for modules in GROUPS
        )
        gains = torch.ones(2, shape.hidden, device=device)
        return LayerWeights(gains[0], gains[1], tuple(plain_linear(weight) for weight in products))

    layers = tuple(layer() for _ in range(shape.layers))
    embedding = matrix(shape.vocab, shape.hidden)
    head = plain_linear(embedding if shape.tied_head else matrix(shape.vocab, shape.hidden))
    norm = torch.ones(shape.hidden, device=device)
    held = [*(t for one in layers for p in one.products for t in p.held), *head.held, embedding, norm]
    nbytes = sum(t.nbytes for t in {id(t): t for t in held}.values())
    return BaseWeights(shape, _Table(embedding), layers, norm, head, nbytes)


def random_adapters(
    shape: BaseShape,
    rank: int,
    ids: int,
    blobs: int,
    device: torch.device,
    new_pages: NewPages = plain_pages,
    seed: int = 1,
) -> list[PackedAdapter]:
    """`ids` adapters on all modules, in bf16 in the host's memory. Each is one of its own to the engine, but
    only `blobs` of them differ in their bytes."""
    layout = Layout(rank, (0, 1, 2, 3))
    count, held = gains_start(layout, shape), []
    generator = torch.Generator(device).manual_seed(seed)
    for _ in range(min(ids, blobs)):
        blob = torch.frombuffer(new_pages(2 * count), dtype=torch.bfloat16)
        blob.copy_(torch.empty(count, device=device).normal_(0, _SPREAD, generator=generator))
        held.append(blob)
    return [PackedAdapter(f"r{rank}-{number}", layout, held[number % len(held)]) for number in range(ids)]
