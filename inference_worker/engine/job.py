"""One request as an engine takes it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from inference_worker.adapters.packing import PackedAdapter
from inference_worker.engine.activation import Activation, activation_of
from inference_worker.engine.sequence import Emit, SamplingParams


@dataclass(frozen=True)
class GenerationJob:
    """One request. Requests of one `tenant` share its turn and may reuse each other's prompts.

    `on_closed` is called exactly once, from the engine's thread, after the last event.
    """

    prompt_ids: tuple[int, ...]
    params: SamplingParams
    adapter: PackedAdapter | None
    tenant: str
    emit: Emit
    on_closed: Callable[[], None]

    @cached_property
    def activation(self) -> Activation:
        """Which positions the adapter applies to."""
        return activation_of(self.adapter, self.prompt_ids)
