"""The base's linear product, y = x W^T, with the fastest kernel of this CPU whose rows do not see each other.

oneDNN with weights packed once gives each row the same bits for any number of rows from two up, so one row is
computed as two. The packed operators are private to torch; where they are missing, `F.linear` takes over
and rows agree only within rounding.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F

# The layout for this many rows is up to 4 % faster than that for 32 at 8 and 32 rows, with the same bits.
PACK_ROWS_HINT = 128


@dataclass(frozen=True)
class Linear:
    """The product with one weight, from (rows, inputs) fp32 to (rows, outputs) fp32, and the tensors that it
    holds."""

    apply: Callable[[torch.Tensor], torch.Tensor]
    held: tuple[torch.Tensor, ...]

    def __call__(self, rows: torch.Tensor) -> torch.Tensor:
        return self.apply(rows)


def plain_linear(weight: torch.Tensor) -> Linear:
    """The product by the public operator; `weight` is (outputs, inputs)."""
    weight = weight.contiguous()

    def apply(rows: torch.Tensor) -> torch.Tensor:
        return F.linear(rows, weight)

    return Linear(apply, (weight,))


def packed_linear(weight: torch.Tensor) -> Linear:
    """The product over a weight packed for oneDNN; takes (rows, inputs) contiguous, of the weight's dtype."""
    packed = torch.ops.mkldnn._reorder_linear_weight(weight.contiguous(), PACK_ROWS_HINT)
    product = torch.ops.mkldnn._linear_pointwise

    def apply(rows: torch.Tensor) -> torch.Tensor:
        if rows.shape[0] == 1:
            both: torch.Tensor = product(rows.expand(2, -1).contiguous(), packed, None, "none", [], "")
            return both[:1]
        result: torch.Tensor = product(rows, packed, None, "none", [], "")
        return result

    return Linear(apply, (packed,))


def packing_works(dtype: torch.dtype = torch.float32) -> bool:
    """Whether this torch has the private operators and they agree with the public one on a small product."""
    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return False
    # Whole numbers below 256: exact in either dtype.
    weight = (torch.arange(24 * 32).reshape(24, 32).remainder(7) - 3).to(dtype)
    rows = (torch.arange(3 * 32).reshape(3, 32).remainder(5) - 2).to(dtype)
    try:
        actual = packed_linear(weight)(rows)
    except (AttributeError, RuntimeError):
        return False
    return torch.equal(actual, F.linear(rows, weight))


def choose_linear() -> tuple[str, Callable[[torch.Tensor], Linear]]:
    """The kernel's name, which enters the profile id, and its constructor."""
    if packing_works():
        return "onednn-packed", packed_linear
    return "linear", plain_linear
