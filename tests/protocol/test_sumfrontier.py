"""A growing tree has the root of the whole tree after every leaf."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.chain.keccak import keccak
from protocol.errors import EncodingError
from protocol.sumfrontier import SumFrontier
from protocol.sumtree import SumLeaf, sum_root

LEAVES = st.lists(
    st.builds(SumLeaf, st.binary(min_size=32, max_size=32), st.integers(0, 2**128)), max_size=40
)


@given(LEAVES)
def test_after_every_leaf_the_root_is_that_of_the_whole_tree(leaves: list[SumLeaf]) -> None:
    """SPEC 6.7: equal to building the tree anew."""
    frontier = SumFrontier(keccak)
    assert frontier.root() == sum_root([], keccak)
    for count, leaf in enumerate(leaves, start=1):
        frontier.append(leaf)
        assert frontier.root() == sum_root(leaves[:count], keccak)


def test_a_total_beyond_a_word_has_no_root() -> None:
    """SPEC 6.7"""
    frontier = SumFrontier(keccak)
    for _ in range(2):
        frontier.append(SumLeaf(b"\1" * 32, 2**255))
    with pytest.raises(EncodingError):
        frontier.root()
