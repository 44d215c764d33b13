from dataclasses import replace

import pytest
from eth_hash.auto import keccak
from hypothesis import given
from hypothesis import strategies as st

from protocol.errors import EncodingError
from protocol.hashing import tag, words
from protocol.sumtree import (
    EMPTY_SUM_ROOT,
    SumLeaf,
    SumProof,
    SumRoot,
    prove_sum,
    sum_before,
    sum_root,
    verify_range,
    verify_sum,
)
from tests.protocol.records import words32

leaf_lists = st.lists(st.builds(SumLeaf, words32, st.integers(0, 2**128)), min_size=1, max_size=18)


def naive_top(leaves):
    if len(leaves) == 1:
        return keccak(words(tag("sum_leaf", keccak), leaves[0].key, leaves[0].amount)), leaves[0].amount
    cut = 1
    while cut * 2 < len(leaves):
        cut *= 2
    left, right = naive_top(leaves[:cut]), naive_top(leaves[cut:])
    return keccak(words(tag("sum_node", keccak), *left, *right)), left[1] + right[1]


@given(leaf_lists)
def test_root_equals_the_naive_tree(leaves):
    """SPEC 0.8, 0.11"""
    top, total = naive_top(leaves)
    record = keccak(words(tag("sum_root", keccak), top, len(leaves), total))
    assert sum_root(leaves, keccak) == SumRoot(record, len(leaves), sum(leaf.amount for leaf in leaves))


@given(leaf_lists)
def test_every_leaf_has_a_proof_that_knows_the_sum_before_it(leaves):
    """SPEC 0.9, 0.12"""
    expected = sum_root(leaves, keccak)
    for index, leaf in enumerate(leaves):
        proof = prove_sum(leaves, index, keccak)
        assert verify_sum(leaf, proof, expected, keccak)
        assert sum_before(proof) == sum(before.amount for before in leaves[:index])


@given(leaf_lists, st.data())
def test_any_changed_bit_or_amount_breaks_a_proof(leaves, data):
    """SPEC 0.9, 0.11"""
    index = data.draw(st.integers(0, len(leaves) - 1))
    bit = 1 << data.draw(st.integers(0, 255))
    leaf, proof, expected = leaves[index], prove_sum(leaves, index, keccak), sum_root(leaves, keccak)

    def flip(digest):
        return (int.from_bytes(digest, "big") ^ bit).to_bytes(32, "big")

    assert not verify_sum(replace(leaf, key=flip(leaf.key)), proof, expected, keccak)
    assert not verify_sum(replace(leaf, amount=leaf.amount ^ bit), proof, expected, keccak)
    assert not verify_sum(leaf, proof, replace(expected, digest=flip(expected.digest)), keccak)
    assert not verify_sum(leaf, proof, replace(expected, total=expected.total ^ bit), keccak)
    assert not verify_sum(leaf, proof, replace(expected, count=expected.count ^ bit), keccak)
    for place, (digest, amount) in enumerate(proof.path):
        for sibling in ((flip(digest), amount), (digest, amount ^ bit)):
            path = (*proof.path[:place], sibling, *proof.path[place + 1 :])
            assert not verify_sum(leaf, replace(proof, path=path), expected, keccak)


@given(leaf_lists, st.integers(1, 2**64), st.data())
def test_amounts_cannot_move_between_a_leaf_and_its_siblings(leaves, moved, data):
    """SPEC 0.11: the total stays right, yet the nodes bind each side's sum."""
    index = data.draw(st.integers(0, len(leaves) - 1))
    proof, expected = prove_sum(leaves, index, keccak), sum_root(leaves, keccak)
    for place, (digest, amount) in enumerate(proof.path):
        if amount >= moved:
            path = (*proof.path[:place], (digest, amount - moved), *proof.path[place + 1 :])
            richer = replace(leaves[index], amount=leaves[index].amount + moved)
            assert not verify_sum(richer, replace(proof, path=path), expected, keccak)


@given(leaf_lists, st.data())
def test_two_proofs_fix_a_range_sum(leaves, data):
    """SPEC 0.12"""
    start = data.draw(st.integers(0, len(leaves) - 1))
    end = data.draw(st.integers(start, len(leaves) - 1))
    first, last = ((leaves[place], prove_sum(leaves, place, keccak)) for place in (start, end))
    total, expected = sum(leaf.amount for leaf in leaves[start : end + 1]), sum_root(leaves, keccak)
    assert verify_range(first, last, total, expected, keccak)
    assert not verify_range(first, last, total + 1, expected, keccak)
    assert start == end or not verify_range(last, first, total, expected, keccak)


def test_empty_and_overflowing_trees():
    """SPEC 0.8, 0.11"""
    assert sum_root([], keccak) == EMPTY_SUM_ROOT == SumRoot(bytes(32), 0, 0)
    assert not verify_sum(SumLeaf(bytes(32), 0), SumProof(0, 0, ()), EMPTY_SUM_ROOT, keccak)
    too_much = [SumLeaf(bytes(32), 2**255)] * 2
    with pytest.raises(EncodingError):
        sum_root(too_much, keccak)
    for leaf in (SumLeaf(bytes(31), 1), SumLeaf(bytes(32), -1), SumLeaf(bytes(32), 2**256)):
        assert not verify_sum(leaf, SumProof(0, 1, ()), SumRoot(bytes(32), 1, 1), keccak)
    # A sibling sum that would wrap around 256 bits is no proof, whatever the total.
    assert not verify_sum(
        SumLeaf(bytes(32), 2), SumProof(0, 2, ((bytes(32), 2**256 - 1),)), SumRoot(bytes(32), 2, 1), keccak
    )
    higher = SumProof(0, 4, ((bytes(32), 2**256 - 1), (bytes(32), 0)))
    assert not verify_sum(SumLeaf(bytes(32), 2), higher, SumRoot(bytes(32), 4, 1), keccak)
