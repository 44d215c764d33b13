"""Cuts of a prompt depend on the position alone."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from inference_worker.engine.pieces import cuts_within, next_cut

SIZES = st.tuples(st.integers(1, 40), st.integers(1, 80))


def test_pieces_double_up_to_the_longest():
    """SPEC 4.122"""
    assert cuts_within(1100, 64, 256) == (64, 128, 256, 512, 768, 1024)


@given(st.integers(0, 300), st.integers(0, 300), SIZES)
def test_a_longer_prompt_has_the_same_cuts_and_more(short, more, sizes):
    """SPEC 4.122"""
    cuts = cuts_within(short + more, *sizes)
    assert cuts_within(short, *sizes) == tuple(cut for cut in cuts if cut <= short)


@given(st.integers(0, 300), SIZES)
def test_no_piece_is_longer_than_the_longest(tokens, sizes):
    """SPEC 4.122"""
    first, longest = sizes
    cuts = (0, *cuts_within(tokens, first, longest))
    assert all(0 < b - a <= longest for a, b in itertools.pairwise(cuts))
    assert next_cut(cuts[-1], first, longest) > tokens
