"""Where an adapter begins to apply: against a naive search, and cut by pieces."""

from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from peft.tuners.lora.variants import calculate_alora_offsets

from inference_worker.adapters.packing import Layout, PackedAdapter
from inference_worker.engine.activation import Activation, activation_of, last_place

TOKENS = st.lists(st.integers(0, 2), max_size=12)
WANTED = st.lists(st.integers(0, 2), min_size=1, max_size=4)


def adapter(*invocation):
    return PackedAdapter("a", Layout(8, (0,)), torch.zeros(1), invocation=invocation)


class Config:
    def __init__(self, tokens):
        self.alora_invocation_tokens = tokens


@given(WANTED, TOKENS)
def test_the_place_is_that_of_the_last_occurrence(wanted, tokens):
    """SPEC 4.210"""
    places = [i for i in range(len(tokens)) if tokens[i : i + len(wanted)] == wanted]
    assert last_place(wanted, tokens) == (max(places) if places else None)


@given(WANTED, st.lists(st.integers(0, 2), min_size=1, max_size=12))
def test_the_place_is_where_peft_begins(wanted, tokens):
    """SPEC 4.210: PEFT counts it from the end."""
    (offset,) = calculate_alora_offsets({"a": Config(wanted)}, "a", torch.tensor([tokens]))
    found = activation_of(adapter(*wanted), tokens)
    assert (None if offset is None else len(tokens) - offset) == (found.start if found.adapter else None)


@pytest.mark.parametrize("prompt", [[], [1], [1, 2, 3]])
def test_an_ordinary_adapter_applies_everywhere_and_the_base_stays_the_base(prompt):
    """SPEC 4.210"""
    ordinary = adapter()
    assert activation_of(ordinary, prompt) == Activation(ordinary, 0)
    assert activation_of(None, prompt) == Activation(None, 0)


@given(st.integers(0, 12), st.lists(st.integers(1, 12), max_size=4, unique=True))
def test_pieces_together_adapt_exactly_the_positions_from_the_start_on(start, cuts):
    """SPEC 4.210, 4.211: whatever the cuts."""
    some, bounds = adapter(7), [0, *sorted(cuts), 13]
    adapted = []
    for first, stop in pairwise(bounds):
        chosen, skipped = Activation(some, start).within(first, stop)
        adapted += [False] * (stop - first) if chosen is None else []
        adapted += [False] * skipped + [True] * (stop - first - skipped) if chosen else []
    assert adapted == [position >= start for position in range(13)]
