"""The base's linear product over weights held in 16, 8 or 4 bits; rows go in and come out fp32.

int8 writes each row of the input as two int8 digits and multiplies whole numbers, whose sums are exact in any
order: its rows cannot see each other. bf16 and 4 bits round the input to bf16 and rely on their kernels.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F

from inference_worker.engine.linear import Linear, packed_linear, packing_works

GROUP = 32
_LARGEST, _FINER = 127, 254
_MIDDLE, _STEPS = 8, 15
# Below it a quotient would not be finite; a row that small becomes zero.
_SMALLEST = 1e-30


class WeightDoesNotFit(Exception):
    """A weight whose inputs cannot be cut into groups."""

    def __init__(self, inputs: int) -> None:
        super().__init__(f"int4 needs inputs in multiples of {GROUP}, got {inputs}; serve this base as int8")
        self.inputs = inputs


@dataclass(frozen=True)
class Int8Weight:
    """`numbers` (outputs, inputs) int8 from -127 to 127 and a scale for each output, (outputs,) fp32."""

    numbers: torch.Tensor
    scales: torch.Tensor

    def widened(self) -> torch.Tensor:
        """The fp32 weight that it stands for."""
        return self.numbers * self.scales.unsqueeze(1)


@dataclass(frozen=True)
class Int4Weight:
    """`numbers` (outputs, inputs) int32 from 0 to 15; `affine` (groups, outputs, 2) bf16: what one step is
    worth, and the value of number 8."""

    numbers: torch.Tensor
    affine: torch.Tensor

    def widened(self) -> torch.Tensor:
        """The fp32 weight that it stands for."""
        step, middle = self.affine.float().permute(2, 1, 0).unsqueeze(3).unbind(0)
        groups = self.numbers.view(*step.shape[:2], GROUP)
        return ((groups - _MIDDLE) * step + middle).flatten(1)


def quantise_int8(weight: torch.Tensor) -> Int8Weight:
    """The nearest int8 form of (outputs, inputs) fp32, symmetric by row."""
    scales = weight.abs().amax(dim=1) / _LARGEST
    numbers = weight / scales.clamp_min(_SMALLEST).unsqueeze(1)
    return Int8Weight(numbers.round().to(torch.int8), scales)


def quantise_int4(weight: torch.Tensor) -> Int4Weight:
    """The 4-bit form of (outputs, inputs) fp32, in groups of inputs; raises WeightDoesNotFit.

    Numbers are nearest to the step and middle as rounded to bf16, not to the exact ones.
    """
    outputs, inputs = weight.shape
    if inputs % GROUP:
        raise WeightDoesNotFit(inputs)
    groups = weight.view(outputs, -1, GROUP)
    low, high = groups.amin(dim=2), groups.amax(dim=2)
    step = ((high - low) / _STEPS).to(torch.bfloat16).float()
    middle = (low + _MIDDLE * step).to(torch.bfloat16).float()
    numbers = (groups - middle.unsqueeze(2)) / step.clamp_min(_SMALLEST).unsqueeze(2) + _MIDDLE
    affine = torch.stack([step.t(), middle.t()], dim=2).to(torch.bfloat16)
    return Int4Weight(numbers.round().clamp(0, _STEPS).to(torch.int32).flatten(1), affine)


def bf16_linear(weight: torch.Tensor) -> Linear:
    """The product in bf16, by the packed kernel where this CPU has one."""
    narrow = weight.to(torch.bfloat16)
    if packing_works(torch.bfloat16):
        inner = packed_linear(narrow)
        return Linear(lambda rows: inner(rows.to(torch.bfloat16)).float(), inner.held)
    return Linear(lambda rows: F.linear(rows.to(torch.bfloat16), narrow).float(), (narrow,))


def int8_linear(weight: Int8Weight) -> Linear:
    """The product of int8 weights with rows in steps of their own largest value over 127 * 254.

    One digit would not do: a base has a few inputs so large that the others would round to nothing.
    """
    numbers, scales = weight.numbers.t(), weight.scales

    def apply(rows: torch.Tensor) -> torch.Tensor:
        # A row that is not finite has a step that is not finite, and so has its product.
        steps = rows.abs().amax(dim=1, keepdim=True) / _LARGEST
        scaled = rows / steps.clamp_min(_SMALLEST)
        whole = scaled.round()
        digits = torch.cat([whole, ((scaled - whole) * _FINER).round()]).to(torch.int8)
        coarse, fine = torch._int_mm(digits, numbers).float().chunk(2)
        return (coarse + fine / _FINER) * steps * scales

    return Linear(apply, (weight.numbers, weight.scales))


def int4_linear(weight: Int4Weight) -> Linear:
    """The product of 4-bit weights with rows rounded to bf16."""
    packed = torch.ops.aten._convert_weight_to_int4pack_for_cpu(weight.numbers, 1)
    product = torch.ops.aten._weight_int4pack_mm_for_cpu

    def apply(rows: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = product(rows.to(torch.bfloat16), packed, GROUP, weight.affine)
        return result.float()

    return Linear(apply, (packed, weight.affine))


def int8_works() -> bool:
    """Whether this torch and CPU sum int8 products exactly, at the largest values; some CPUs saturate."""
    rows = torch.full((3, 64), _LARGEST, dtype=torch.int8)
    try:
        actual = torch._int_mm(rows, -torch.full((64, 16), _LARGEST, dtype=torch.int8))
    except (AttributeError, RuntimeError):
        return False
    return bool((actual == -64 * _LARGEST * _LARGEST).all())


def int4_works() -> bool:
    """Whether this torch has the private 4-bit operators and they agree with the plain product."""
    rows = (torch.arange(3 * GROUP).reshape(3, GROUP).remainder(5) - 2).float()
    weight = quantise_int4((torch.arange(32 * GROUP).reshape(32, GROUP).remainder(16) - 8).float())
    try:
        actual = int4_linear(weight)(rows)
    except (AttributeError, RuntimeError):
        return False
    return bool(((actual - rows @ weight.widened().t()).abs() <= 2.0).all())
