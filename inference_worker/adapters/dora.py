"""DoRA as a gain per output: m / |W + s B A|, row by row, computed once when an adapter is ingested.

With it a DoRA module computes gain * (W x + s B A x), so it needs the base's product and a LoRA product like
any other adapter and mixes freely with them.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch

from inference_worker.adapters.base_rows import BaseRows, pieces

Target = tuple[int, str]


def gains_of(
    base: BaseRows,
    low_rank: Mapping[Target, tuple[torch.Tensor, torch.Tensor]],
    magnitudes: Mapping[Target, torch.Tensor],
) -> dict[Target, torch.Tensor]:
    """By (layer, module) the gains, (outputs,) fp32, of (down, up with the scale folded in) and magnitude.

    W is what the engine multiplies: of a base in fewer bits the rounded weights, so that an adapted row has
    the learned length. A gain is not finite where a row of the adapted weight is zero; the caller refuses
    such an adapter.
    """
    gains = {}
    with base.open() as opened:
        for (layer, module), (down, up) in low_rank.items():
            norms = torch.cat(
                [
                    torch.linalg.vector_norm(base.widened(weight).addmm(up[rows], down), dim=1)
                    for rows, weight in pieces(opened, layer, module)
                ]
            )
            gains[layer, module] = magnitudes[layer, module] / norms
    return gains
