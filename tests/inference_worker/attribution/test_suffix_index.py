from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference_worker.attribution import suffix_shard
from inference_worker.attribution.spans import SpanIndex, TokenRow
from inference_worker.attribution.suffix_array import END, suffix_order
from inference_worker.attribution.suffix_index import SuffixIndex, VersionShard
from inference_worker.attribution.suffix_shard import BLOCK, build_shard
from inference_worker.errors import IndexCorrupt, SpanIndexTooLarge
from protocol.spans import cover

IDS = st.sampled_from([0, 1, 2, 3, 70_000, (1 << 32) - 1])
TOKENS = st.lists(IDS, min_size=0, max_size=24)
ROWS = st.lists(TOKENS, min_size=0, max_size=8)


def index_of(rows: Sequence[Sequence[int]], cut: Sequence[int]) -> SuffixIndex:
    """Row n lies in shard `cut[n]`."""
    shards = []
    for shard in sorted(set(cut[: len(rows)])):
        mine = [n for n in range(len(rows)) if cut[n] == shard]
        shards.append(VersionShard(build_shard([rows[n] for n in mine]), mine))
    return SuffixIndex(tuple(shards))


@given(rows=ROWS, output=TOKENS, minimum=st.integers(2, 6), cut=st.lists(st.integers(0, 2), min_size=8))
def test_the_cover_is_that_of_all_maximal_matches(
    rows: list[list[int]], output: list[int], minimum: int, cut: list[int]
) -> None:
    """SPEC 5.110, 5.111"""
    every = SpanIndex([TokenRow(n, tuple(tokens)) for n, tokens in enumerate(rows)])
    found = index_of(rows, cut).leading_matches(output, minimum)
    assert set(found) <= set(every.maximal_matches(output, minimum))
    assert cover(found) == cover(every.maximal_matches(output, minimum))


@pytest.mark.parametrize("seed", range(4))
def test_long_texts_with_many_repeats_have_the_same_cover(seed: int) -> None:
    """SPEC 5.110, 5.111: intervals of suffixes run over many blocks, and covers end at their limits."""
    drawn = np.random.default_rng(seed)
    tokens = 3 + seed
    rows = [drawn.integers(0, tokens, drawn.integers(0, 90)).tolist() for _ in range(100)]
    rows += rows[:20]
    index = index_of(rows, [n % (1 + seed % 3) for n in range(len(rows))])
    assert index.tokens > 4 * BLOCK
    every = SpanIndex([TokenRow(n, tuple(row)) for n, row in enumerate(rows)])
    for length in (1, 90):
        output = drawn.integers(0, tokens + 1, length).tolist() + rows[3]
        assert cover(index.leading_matches(output)) == cover(every.maximal_matches(output))


@given(rows=st.lists(st.lists(st.integers(1, 3), max_size=40), max_size=6))
def test_suffixes_are_in_order_and_equal_ones_by_place(rows: list[list[int]]) -> None:
    """SPEC 5.112"""
    codes = np.array([code for row in rows for code in [*row, END]], np.uint16)
    whole = codes.tolist()
    naive = sorted(
        (n for n, code in enumerate(whole) if code != END), key=lambda n: (whole[n : whole.index(END, n)], n)
    )
    assert suffix_order(codes).tolist() == naive


def test_no_match_runs_over_the_end_of_a_row() -> None:
    """SPEC 5.110"""
    (found,) = index_of([[7, 8], [9, 10, 11]], [0, 0]).leading_matches([7, 8, 9, 10])[:1]
    assert (found.start, found.length, found.row, found.row_start) == (0, 2, 0, 0)


def test_a_shard_above_its_limit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """SPEC 5.113"""
    monkeypatch.setattr(suffix_shard, "MAX_SHARD_TOKENS", 7)
    assert build_shard([[1, 2], [3, 4, 5]]).tokens == 5
    with pytest.raises(SpanIndexTooLarge, match="at most 7, asked for 8"):
        build_shard([[1, 2, 3], [3, 4, 5]])
    with pytest.raises(SpanIndexTooLarge, match="distinct tokens"):
        build_shard([range(suffix_shard.MAX_ALPHABET + 1)])


@pytest.mark.parametrize("rows", [[0], [0, 0], [1, 0]])
def test_rows_that_do_not_fit_their_shard_are_refused(rows: list[int]) -> None:
    with pytest.raises(IndexCorrupt, match="rows of a shard"):
        VersionShard(build_shard([[1], [2]]), rows)
