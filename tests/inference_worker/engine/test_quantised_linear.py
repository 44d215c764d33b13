"""Products over fewer bits: how far from the exact weight, equal to a naive product, and blind to company."""

import pytest
import torch

from inference_worker.engine.linear import packing_works
from inference_worker.engine.quantised_linear import (
    GROUP,
    WeightDoesNotFit,
    bf16_linear,
    int4_linear,
    int4_works,
    int8_linear,
    int8_works,
    quantise_int4,
    quantise_int8,
)

SIZES = [(64, 128), (576, 960), (1536, 576)]
KERNELS = {
    "bf16": lambda weight: bf16_linear(weight),
    "int8": lambda weight: int8_linear(quantise_int8(weight)),
    "int4": lambda weight: int4_linear(quantise_int4(weight)),
}
WIDENED = {
    "bf16": lambda weight: weight.bfloat16().float(),
    "int8": lambda weight: quantise_int8(weight).widened(),
    "int4": lambda weight: quantise_int4(weight).widened(),
}
# Of the exact product's largest value: bf16 rounds rows, and what comes out, to 8 bits.
TOLERANCE = {"bf16": 2e-2, "int8": 1e-3, "int4": 2e-2}
BLIND = {"bf16": packing_works(torch.bfloat16), "int8": int8_works(), "int4": int4_works()}


@pytest.fixture(params=KERNELS)
def kind(request):
    if request.param == "int8" and not int8_works():
        pytest.skip("this CPU has no exact int8 product")
    if request.param == "int4" and not int4_works():
        pytest.skip("this torch has no 4-bit product")
    return request.param


def random_weight(size, seed=1):
    inputs, outputs = size
    return torch.randn(outputs, inputs, generator=torch.Generator().manual_seed(seed)) / inputs**0.5


def random_rows(count, inputs, seed=2):
    return torch.randn(count, inputs, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("size", SIZES)
def test_product_is_that_of_the_widened_weight(kind, size):
    """SPEC 4.170"""
    weight, rows = random_weight(size), random_rows(5, size[0])
    # One input far above the others, as bases have.
    rows[1, 3] = 300.0
    exact = rows.double() @ WIDENED[kind](weight).double().t()
    error = (KERNELS[kind](weight)(rows) - exact).abs().amax(1)
    assert (error <= TOLERANCE[kind] * exact.abs().amax(1)).all(), error


@pytest.mark.parametrize("size", SIZES)
def test_bits_of_a_row_do_not_depend_on_the_number_of_rows(kind, size):
    """SPEC 4.172"""
    if not BLIND[kind]:
        pytest.skip(
            f"the {kind} kernel of this CPU is not blind to company, and its profile says which it is"
        )
    rows, apply = random_rows(64, size[0]), KERNELS[kind](random_weight(size))
    whole = apply(rows)
    for count in (*range(1, 18), 31, 32, 33, 48, 63):
        assert torch.equal(apply(rows[:count].contiguous()), whole[:count]), count


@pytest.mark.parametrize("size", SIZES)
def test_int8_weights_are_within_half_a_step_of_their_row(size):
    """SPEC 4.170"""
    weight = random_weight(size) * torch.logspace(-6, 3, size[1]).unsqueeze(1)
    weight[5] = 0.0
    held = quantise_int8(weight)
    assert held.numbers.abs().max() <= 127
    step = weight.abs().amax(1, keepdim=True) / 127
    assert ((held.widened() - weight).abs() <= 0.5001 * step).all()
    assert not held.widened()[5].any()


@pytest.mark.parametrize("size", SIZES)
def test_int4_weights_are_within_half_a_step_of_their_group(size):
    """SPEC 4.170: a step is a fifteenth of the group's range; bf16 of step and middle costs a little more."""
    weight = random_weight(size)
    weight[5, :GROUP] = 0.25
    groups = weight.view(size[1], -1, GROUP)
    step = (groups.amax(2) - groups.amin(2)) / 15
    rounding = (groups.abs().amax(2) + 8 * step) / 128
    error = (quantise_int4(weight).widened() - weight).abs().view_as(groups)
    assert (error <= (0.5 * step + rounding).unsqueeze(2)).all()
    assert not error[5, 0].any()


def test_weights_already_on_a_grid_of_fifteen_steps_are_kept():
    """SPEC 4.170"""
    numbers = torch.randint(0, 16, (16, 64), generator=torch.Generator().manual_seed(3))
    numbers[:, 0::GROUP], numbers[:, 1::GROUP] = 0, 15
    weight = (numbers - 8) * 0.125
    assert torch.equal(quantise_int4(weight).widened(), weight)


def test_each_row_and_group_is_rounded_by_itself():
    """SPEC 4.171: what is computed from pieces of a weight is computed from the weight that multiplies."""
    weight = random_weight((64, 128))
    for widened in WIDENED.values():
        assert torch.equal(widened(weight[32:80]), widened(weight)[32:80])


def test_a_row_that_is_not_finite_stays_so_and_alone(kind):
    """SPEC 4.17"""
    apply = KERNELS[kind](random_weight((64, 128)))
    rows = random_rows(4, 64)
    expected = apply(rows)
    rows[1, 7], rows[2, 9] = float("nan"), float("inf")
    actual = apply(rows)
    assert not actual[1].isfinite().any() and not actual[2].isfinite().any()
    assert torch.equal(actual[[0, 3]], expected[[0, 3]])


def test_zero_rows_give_zero(kind):
    """SPEC 4.170"""
    assert not KERNELS[kind](random_weight((64, 128)))(torch.zeros(3, 64)).any()


def test_a_weight_that_does_not_fit_groups_is_refused():
    """SPEC 4.170"""
    with pytest.raises(WeightDoesNotFit, match="got 112"):
        quantise_int4(random_weight((112, 64)))


@pytest.mark.parametrize("missing", ["_int_mm"])
def test_a_missing_operator_is_noticed(monkeypatch, missing):
    """SPEC 4.170"""
    monkeypatch.delattr(torch, missing)
    assert not int8_works()


def test_an_operator_that_saturates_is_noticed(monkeypatch):
    """SPEC 4.170: as some CPUs without a dot product of bytes do."""
    exact = torch._int_mm
    monkeypatch.setattr(torch, "_int_mm", lambda a, b: exact(a, b).clamp_min(-(2**15)))
    assert not int8_works()
