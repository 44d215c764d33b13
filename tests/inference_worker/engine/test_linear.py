"""The packed product: right, and blind to how many rows share it."""

import pytest
import torch
import torch.nn.functional as F

from inference_worker.engine.linear import choose_linear, packed_linear, packing_works, plain_linear

needs_packing = pytest.mark.skipif(not packing_works(), reason="this torch has no packed oneDNN product")
SIZES = [(64, 128), (576, 960), (1536, 576)]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("make", [plain_linear, pytest.param(packed_linear, marks=needs_packing)])
def test_product_is_that_of_the_matrix(size, make):
    """SPEC 4.12"""
    inputs, outputs = size
    generator = torch.Generator().manual_seed(1)
    weight = torch.randn(outputs, inputs, generator=generator) / inputs**0.5
    rows = torch.randn(5, inputs, generator=generator)
    exact = rows.double() @ weight.double().t()
    assert (make(weight)(rows) - exact).abs().max() < 1e-5


@needs_packing
@pytest.mark.parametrize("size", SIZES)
def test_bits_of_a_row_do_not_depend_on_the_number_of_rows(size):
    """SPEC 4.13"""
    inputs, outputs = size
    weight = torch.randn(outputs, inputs, generator=torch.Generator().manual_seed(2))
    rows = torch.randn(64, inputs, generator=torch.Generator().manual_seed(3))
    apply = packed_linear(weight)
    whole = apply(rows)
    for count in (*range(1, 18), 31, 32, 33, 48, 63):
        assert torch.equal(apply(rows[:count].contiguous()), whole[:count]), count


def test_chosen_kernel_is_named():
    """SPEC 4.28"""
    name, make = choose_linear()
    assert name == ("onednn-packed" if packing_works() else "linear")
    weight = torch.eye(16)
    assert torch.equal(make(weight)(torch.ones(2, 16)), F.linear(torch.ones(2, 16), weight))


def test_without_the_private_operators_the_public_one_serves(monkeypatch):
    """SPEC 4.12"""
    monkeypatch.setattr("inference_worker.engine.linear.packed_linear", raise_missing)
    assert choose_linear() == ("linear", plain_linear)


def raise_missing(weight):
    raise AttributeError("no such operator")
