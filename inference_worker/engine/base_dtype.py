"""How a base is held and multiplied, by dtype: what an operator chooses with `--base-dtype`.

fp32 is the verifiable form and the one every other is compared with. What stays fp32 in all of them: norms,
attention, the adapters' products and the rows between.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

import torch

from inference_worker.adapters.base_rows import as_stored
from inference_worker.engine.linear import Linear, choose_linear, packing_works
from inference_worker.engine.quantised_linear import (
    Int8Weight,
    bf16_linear,
    int4_linear,
    int4_works,
    int8_linear,
    int8_works,
    quantise_int4,
    quantise_int8,
)

BaseDtype = Literal["float32", "bfloat16", "int8", "int4"]


class Table(Protocol):
    """An embedding: rows (tokens, hidden) fp32 by token ids."""

    def __getitem__(self, tokens: torch.Tensor, /) -> torch.Tensor: ...


class BaseDtypeUnsupported(Exception):
    """This torch or CPU has no right kernel for the dtype."""

    def __init__(self, dtype: str) -> None:
        super().__init__(f"no kernel for a base in {dtype} gives right products here; choose float32")
        self.dtype = dtype


@dataclass(frozen=True)
class Ends:
    """Both ends of a base, which may share their weight: `held` are their tensors, each once."""

    embedding: Table
    head: Linear
    held: tuple[torch.Tensor, ...]


@dataclass(frozen=True)
class BaseKernel:
    """One way to hold a base. `name` enters the profile id; `widened` gives the fp32 weights that a linear
    product really multiplies, row by row, for whatever is computed from them."""

    name: str
    linear: Callable[[torch.Tensor], Linear]
    widened: Callable[[torch.Tensor], torch.Tensor]
    ends: Callable[[torch.Tensor, torch.Tensor | None], Ends]


@dataclass(frozen=True)
class _Bf16Table:
    numbers: torch.Tensor

    def __getitem__(self, tokens: torch.Tensor, /) -> torch.Tensor:
        return self.numbers[tokens].float()


@dataclass(frozen=True)
class _Int8Table:
    weight: Int8Weight

    def __getitem__(self, tokens: torch.Tensor, /) -> torch.Tensor:
        return Int8Weight(self.weight.numbers[tokens], self.weight.scales[tokens]).widened()


def kernel_of(dtype: BaseDtype) -> BaseKernel:
    """The kernel for a dtype on this machine; raises BaseDtypeUnsupported."""
    if dtype == "float32":
        name, linear = choose_linear()
        return fp32_kernel(name, linear)
    if dtype == "bfloat16":
        name = "onednn-bf16-packed" if packing_works(torch.bfloat16) else "linear-bf16"
        return BaseKernel(name, bf16_linear, bf16_widened, bf16_ends)
    if not int8_works() or (dtype == "int4" and not int4_works()):
        raise BaseDtypeUnsupported(dtype)
    if dtype == "int8":
        return BaseKernel(
            "int8-two-digit-rows",
            lambda weight: int8_linear(quantise_int8(weight)),
            _int8_widened,
            _int8_ends,
        )
    # The ends stay int8: they are the most sensitive, and the packed 4-bit form has no rows to look up.
    return BaseKernel(
        "int4-groups-of-32",
        lambda weight: int4_linear(quantise_int4(weight)),
        _int4_widened,
        _int8_ends,
    )


def fp32_kernel(name: str, linear: Callable[[torch.Tensor], Linear]) -> BaseKernel:
    """The full-precision base with this product."""

    def ends(embedding: torch.Tensor, head: torch.Tensor | None) -> Ends:
        product = linear(embedding if head is None else head)
        return Ends(embedding, product, _once(embedding, *product.held))

    return BaseKernel(name, linear, as_stored, ends)


def bf16_widened(weight: torch.Tensor) -> torch.Tensor:
    """What a weight rounded to bf16 stands for, fp32."""
    return weight.bfloat16().float()


def _int8_widened(weight: torch.Tensor) -> torch.Tensor:
    return quantise_int8(weight).widened()


def _int4_widened(weight: torch.Tensor) -> torch.Tensor:
    return quantise_int4(weight).widened()


def bf16_ends(
    embedding: torch.Tensor,
    head: torch.Tensor | None,
    linear: Callable[[torch.Tensor], Linear] = bf16_linear,
) -> Ends:
    """A table in bf16 and this product."""
    numbers = embedding.to(torch.bfloat16)
    product = linear(embedding if head is None else head)
    return Ends(_Bf16Table(numbers), product, _once(numbers, *product.held))


def _int8_ends(embedding: torch.Tensor, head: torch.Tensor | None) -> Ends:
    weight = quantise_int8(embedding)
    product = int8_linear(weight if head is None else quantise_int8(head))
    return Ends(_Int8Table(weight), product, _once(weight.numbers, weight.scales, *product.held))


def _once(*tensors: torch.Tensor) -> tuple[torch.Tensor, ...]:
    return tuple({id(tensor): tensor for tensor in tensors}.values())
