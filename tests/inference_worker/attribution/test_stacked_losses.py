import numpy as np
import pytest
import torch

from inference_worker.attribution import stacked_losses
from inference_worker.attribution.gradients import LoraProbe, LoraWeights, layer_of
from inference_worker.attribution.stacked_losses import StackedLosses
from inference_worker.base.exchange import Exchange, common_prefix
from inference_worker.base.load import Base
from tests.inference_worker.attribution.random_adapter import random_adapter

ROWS = [
    Exchange((1, 5, 6, 7, 8), (9, 10, 2)),
    Exchange((1, 5, 6, 11), (12,)),
    Exchange((1, 5, 6, 7, 7, 7, 13), (14, 15, 16, 17, 2)),
]
ELSEWHERE = Exchange((3, 4), (20, 21, 2))


def upper(model: object, first: int, seed: int) -> LoraWeights:
    whole = random_adapter(model, seed=seed)
    paths = [path for path in whole.modules() if layer_of(path) >= first]
    return LoraWeights({p: whole.a[p] for p in paths}, {p: whole.b[p] for p in paths}, whole.scale)


@pytest.fixture(params=[0, 1, 2])
def adapters(request: pytest.FixtureRequest, tiny_base: Base) -> list[LoraWeights]:
    return [upper(tiny_base.model, request.param, seed) for seed in range(6)]


def test_adapters_side_by_side_give_what_each_gives_alone(
    tiny_base: Base, adapters: list[LoraWeights]
) -> None:
    """SPEC 5.146: wherever the adapters begin, with the shared start and without it."""
    stacked = StackedLosses(tiny_base.model, adapters, common_prefix(ROWS))
    for exchange in (*ROWS, ELSEWHERE):
        found = stacked.losses(exchange)
        for number, adapter in enumerate(adapters):
            alone = LoraProbe(tiny_base.model, [adapter]).losses([exchange], 0, ())[0].mean()
            assert found[number] == pytest.approx(float(alone), abs=1e-5)
        assert len(set(found.tolist())) == len(adapters)


def test_passes_of_few_adapters_give_the_same(
    tiny_base: Base, adapters: list[LoraWeights], monkeypatch: pytest.MonkeyPatch
) -> None:
    """SPEC 5.146"""
    stacked = StackedLosses(tiny_base.model, adapters, common_prefix(ROWS))
    whole = [stacked.losses(exchange) for exchange in ROWS]
    monkeypatch.setattr(stacked_losses, "TOKENS_PER_PASS", 20)
    monkeypatch.setattr(stacked_losses, "HEAD_ROWS", 4)
    for exchange, expected in zip(ROWS, whole, strict=True):
        np.testing.assert_allclose(stacked.losses(exchange), expected, atol=1e-5)


def test_the_base_is_as_before(tiny_base: Base, adapters: list[LoraWeights]) -> None:
    """SPEC 5.146"""
    ids = torch.tensor([[1, 5, 6, 7]])
    before = tiny_base.model(ids).logits
    StackedLosses(tiny_base.model, adapters, (1, 5)).losses(ROWS[0])
    assert torch.equal(tiny_base.model(ids).logits, before)
