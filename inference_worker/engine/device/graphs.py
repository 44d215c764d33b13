"""Replays of a captured step, one for each size of batch and each longest sequence.

Without CUDA a step is run as it is, which is also how tests compare the two.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from inference_worker.engine.device.ops import StepInputs

Step = Callable[[StepInputs], torch.Tensor]
_WARM_UPS = 2


def buckets_up_to(most: int, first: int, factor: int) -> tuple[int, ...]:
    """first, first * factor, ... and `most` itself."""
    sizes = []
    while first < most:
        sizes.append(first)
        first *= factor
    return (*sizes, most)


def bucket_of(size: int, buckets: tuple[int, ...]) -> int:
    """The smallest bucket that holds `size`."""
    return next(bucket for bucket in buckets if bucket >= size)


class CapturedStep:
    """A step over inputs whose tensors never move. It may share the memory of another one, for no two run at
    once; so the logits that a call returns are overwritten by the next call of either."""

    def __init__(self, step: Step, inputs: StepInputs, memory: CapturedStep | None) -> None:
        # Libraries choose kernels and take workspace at their first calls, which a capture does not allow.
        beside = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        beside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(beside):
            for _ in range(_WARM_UPS):
                step(inputs)
        torch.cuda.current_stream().wait_stream(beside)
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph, pool=None if memory is None else memory._graph.pool()):
            self._logits = step(inputs)

    def __call__(self, inputs: StepInputs) -> torch.Tensor:
        """Run on what the tensors hold now; `inputs` must be those of the capture."""
        self._graph.replay()
        return self._logits
