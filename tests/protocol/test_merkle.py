from dataclasses import replace

import pytest
from eth_hash.auto import keccak
from hypothesis import given
from hypothesis import strategies as st

from protocol.errors import EncodingError
from protocol.hashing import tag, words
from protocol.merkle import EMPTY_ROOT, Proof, prove, root, root_and_proofs, verify, verify_absence
from tests.protocol.records import words32

payload_lists = st.lists(words32, min_size=1, max_size=20)


def naive_top(payloads):
    """RFC 6962 by its own words: split at the largest power of two below n."""
    if len(payloads) == 1:
        return keccak(words(tag("leaf", keccak), payloads[0]))
    cut = 1
    while cut * 2 < len(payloads):
        cut *= 2
    return keccak(words(tag("node", keccak), naive_top(payloads[:cut]), naive_top(payloads[cut:])))


@given(payload_lists)
def test_root_equals_the_naive_tree(payloads):
    """SPEC 0.8"""
    record = keccak(words(tag("root", keccak), naive_top(payloads), len(payloads)))
    assert root(payloads, keccak) == record


def test_the_empty_root_is_zero_and_proves_nothing():
    """SPEC 0.8"""
    assert root([], keccak) == EMPTY_ROOT == bytes(32)
    assert root_and_proofs([], [], keccak) == (EMPTY_ROOT, ())
    assert not verify(bytes(32), Proof(0, 0, ()), EMPTY_ROOT, keccak)
    assert not verify(bytes(32), Proof(0, 1, ()), EMPTY_ROOT, keccak)
    with pytest.raises(EncodingError):
        prove([], 0, keccak)


@given(payload_lists)
def test_duplicating_the_last_payload_changes_the_root(payloads):
    """SPEC 0.8"""
    assert root([*payloads, payloads[-1]], keccak) != root(payloads, keccak)


@given(payload_lists)
def test_every_payload_has_a_proof(payloads):
    """SPEC 0.9"""
    expected = root(payloads, keccak)
    for index, payload in enumerate(payloads):
        assert verify(payload, prove(payloads, index, keccak), expected, keccak)


@given(payload_lists, st.data())
def test_one_pass_gives_the_same_root_and_proofs(payloads, data):
    """SPEC 0.9"""
    places = data.draw(st.lists(st.integers(0, len(payloads) - 1), unique=True))
    proofs = tuple(prove(payloads, place, keccak) for place in places)
    assert root_and_proofs(iter(payloads), places, keccak) == (root(payloads, keccak), proofs)
    with pytest.raises(EncodingError):
        root_and_proofs(iter(payloads), [len(payloads)], keccak)


def flipped(data, bit):
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << (bit % 8)
    return bytes(changed)


@given(payload_lists, st.data())
def test_any_changed_bit_breaks_a_proof(payloads, data):
    """SPEC 0.9"""
    index = data.draw(st.integers(0, len(payloads) - 1))
    bit = data.draw(st.integers(0, 255))
    proof, payload, expected = prove(payloads, index, keccak), payloads[index], root(payloads, keccak)
    assert not verify(flipped(payload, bit), proof, expected, keccak)
    assert not verify(payload, proof, flipped(expected, bit), keccak)
    for place, node in enumerate(proof.path):
        path = (*proof.path[:place], flipped(node, bit), *proof.path[place + 1 :])
        assert not verify(payload, replace(proof, path=path), expected, keccak)


@given(payload_lists, st.data())
def test_a_proof_holds_for_one_index_and_count(payloads, data):
    """SPEC 0.9"""
    index = data.draw(st.integers(0, len(payloads) - 1))
    proof, expected = prove(payloads, index, keccak), root(payloads, keccak)
    for count in range(34):
        for place in range(-1, count + 1):
            if (place, count) != (proof.index, proof.count) and payloads.count(payloads[index]) == 1:
                assert not verify(payloads[index], Proof(place, count, proof.path), expected, keccak)


@given(payload_lists, words32, st.sampled_from(["longer", "shorter", "short node", "huge count"]))
def test_a_path_of_the_wrong_form_is_no_proof(payloads, extra, how):
    """SPEC 0.9"""
    proof, expected = prove(payloads, 0, keccak), root(payloads, keccak)
    forms = {
        "longer": replace(proof, path=(*proof.path, extra)),
        "shorter": replace(proof, path=proof.path[:-1]) if proof.path else replace(proof, index=1),
        "short node": replace(proof, path=(extra[:31], *proof.path[1:]))
        if proof.path
        else replace(proof, index=1),
        "huge count": replace(proof, count=2**300),
    }
    assert not verify(payloads[0], forms[how], expected, keccak)


def test_an_inner_node_is_no_payload():
    """SPEC 0.3: tags keep levels apart, so a node's digest cannot pass for a leaf's payload."""
    payloads = [bytes([place]) * 32 for place in range(4)]
    inner = naive_top(payloads[:2])
    assert not verify(inner, Proof(0, 2, (naive_top(payloads[2:]),)), root(payloads, keccak), keccak)


@given(st.sets(words32, max_size=12), words32)
def test_absence_is_provable_exactly_for_what_is_absent(present, wanted):
    """SPEC 0.10"""
    ordered = sorted(present)
    expected = root(ordered, keccak)
    known = [(payload, prove(ordered, place, keccak)) for place, payload in enumerate(ordered)]
    neighbours = [None, *known, None]
    below = sum(payload < wanted for payload in ordered)
    proved = any(
        verify_absence(wanted, left, right, expected, keccak) for left in neighbours for right in neighbours
    )
    assert proved == (wanted not in present)
    if wanted not in present:
        assert verify_absence(wanted, neighbours[below], neighbours[below + 1], expected, keccak)
    for payload in ordered:
        assert not any(
            verify_absence(payload, left, right, expected, keccak)
            for left in neighbours
            for right in neighbours
        )
