import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from inference_worker.attribution import throwaways
from inference_worker.attribution.gradients import PREFIX
from inference_worker.attribution.throwaways import (
    TensorShapes,
    Throwaways,
    check_throwaways,
    resident_bytes,
    stack,
)
from inference_worker.errors import IndexCorrupt

K = 16
PATHS = [f"model.layers.{layer}.self_attn.q_proj" for layer in (1, 2)]
SERVED = TensorShapes(
    tuple(f"{PREFIX}{path}.lora_{side}.weight" for path in PATHS for side in "AB"), ((2, 3), (5, 2)) * 2
)


def adapters(count: int = K) -> list[dict[str, torch.Tensor]]:
    generator = torch.Generator().manual_seed(0)
    own = SERVED.from_layer(2)
    named = list(zip(own.names, own.shapes, strict=True))
    return [{name: torch.randn(*shape, generator=generator) for name, shape in named} for _ in range(count)]


def stacked(count: int = K) -> Throwaways:
    return Throwaways(2, stack(adapters(count), SERVED, 2), np.zeros(count, np.float32))


def test_adapters_side_by_side_are_the_adapters_in_float16() -> None:
    """SPEC 5.147"""
    found = check_throwaways(stacked(), SERVED).weights(SERVED, 2.0)
    for weights, tensors in zip(found, adapters(), strict=True):
        assert weights.modules() == PATHS[1:] and weights.scale == 2.0
        for side, value in (("A", weights.a[PATHS[1]]), ("B", weights.b[PATHS[1]])):
            assert torch.equal(value, tensors[f"{PREFIX}{PATHS[1]}.lora_{side}.weight"].half().float())


@given(
    rows=st.integers(0, 110),
    columns=st.sampled_from([0, 15, 16, 17, 32]),
    levels=st.integers(-1, 1),
    first=st.integers(0, 4),
)
def test_what_does_not_fit_the_served_adapter_is_refused(
    rows: int, columns: int, levels: int, first: int
) -> None:
    """SPEC 5.147"""
    level = np.zeros(max(0, rows + levels), np.float32)
    found = Throwaways(first, np.zeros((rows, columns), np.float16), level)
    expected = {0: 32, 1: 32, 2: 16}.get(first)
    if columns == expected and 16 <= rows <= 96 and rows % 2 == 0 and levels == 0:
        assert check_throwaways(found, SERVED) is found
        return
    with pytest.raises(IndexCorrupt):
        check_throwaways(found, SERVED)


def test_what_would_not_fit_in_memory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """SPEC 5.147"""
    held = resident_bytes(K, 2 * 3 + 5 * 2)
    monkeypatch.setattr(throwaways, "MAX_RESIDENT_BYTES", held)
    assert check_throwaways(stacked(), SERVED)
    monkeypatch.setattr(throwaways, "MAX_RESIDENT_BYTES", held - 1)
    with pytest.raises(IndexCorrupt, match="bytes of adapters"):
        check_throwaways(stacked(), SERVED)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_numbers_that_are_not_finite_are_refused(bad: float) -> None:
    """SPEC 5.147"""
    good = stacked()
    flat, level = good.flat.copy(), good.level.copy()
    flat[3, 4], level[5] = bad, bad
    for broken in (dataclasses.replace(good, flat=flat), dataclasses.replace(good, level=level)):
        with pytest.raises(IndexCorrupt, match="finite"):
            check_throwaways(broken, SERVED)
