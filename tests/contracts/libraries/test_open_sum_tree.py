"""OpenSumTree against the vectors of protocol.sumtree."""

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from web3.contract import Contract

from node.chain.keccak import keccak
from protocol.sumtree import (
    SumLeaf,
    SumProof,
    climb,
    prove_sum,
    record_digest,
    sum_before,
    sum_root,
    verify_sum,
)
from tests.contracts.libraries.conftest import vectors


def solidity(proof: SumProof) -> tuple[int, int, list[tuple[bytes, int]]]:
    return proof.index, proof.count, list(proof.path)


def from_json(proof: dict[str, Any]) -> SumProof:
    path = tuple((bytes.fromhex(step["digest"][2:]), int(step["sum"])) for step in proof["path"])
    return SumProof(proof["index"], proof["count"], path)


def test_every_vector_verifies(libraries: Contract) -> None:
    """SPEC 7.33: Solidity and Python accept the same proofs."""
    verified = 0
    for case in vectors("sumtree")["cases"]:
        root, total = bytes.fromhex(case["root"]["digest"][2:]), int(case["root"]["total"])
        for leaf, proof in zip(case["leaves"], case["proofs"], strict=True):
            key, amount = bytes.fromhex(leaf["key"][2:]), int(leaf["amount"])
            call = libraries.functions.sumVerify(key, amount, solidity(from_json(proof)), root, total)
            assert call.call()
            verified += 1
    assert verified > 20


def test_a_proof_knows_the_sum_before_its_leaf(libraries: Contract) -> None:
    """SPEC 0.12, 7.33: two proofs fix the sum of a range, by the same vectors as in Python."""
    for case in vectors("sumtree")["cases"]:
        root, total = bytes.fromhex(case["root"]["digest"][2:]), int(case["root"]["total"])
        for leaf, proof, before in zip(case["leaves"], case["proofs"], case["before"], strict=True):
            key, amount = bytes.fromhex(leaf["key"][2:]), int(leaf["amount"])
            found = libraries.functions.sumClimb(key, amount, solidity(from_json(proof))).call()
            assert found == [True, root, total, int(before)]


def test_every_claim_of_the_epoch_vectors_verifies(libraries: Contract) -> None:
    for epoch in vectors("epoch")["epochs"]:
        root, total = bytes.fromhex(epoch["cumRoot"]["digest"][2:]), int(epoch["total"])
        for claim in epoch["claims"]:
            account = libraries.w3.to_checksum_address(claim["account"])
            key = libraries.functions.leafKey(account).call()
            assert key == bytes.fromhex(claim["key"][2:])
            proof = solidity(from_json(claim["proof"]))
            assert libraries.functions.sumVerify(key, int(claim["amount"]), proof, root, total).call()
            assert not libraries.functions.sumVerify(key, int(claim["amount"]) + 1, proof, root, total).call()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    amounts=st.lists(st.integers(0, 2**128), min_size=1, max_size=12),
    index=st.integers(0, 12),
    claimed=st.integers(0, 13),
    more=st.sampled_from([0, 0, 0, 1]),
    shifted=st.sampled_from([0, 0, 1, 2**256 - 1]),
    surplus=st.sampled_from([0, 0, 0, 1]),
)
def test_a_changed_proof_is_judged_as_python_judges_it(
    libraries: Contract, amounts: list[int], index: int, claimed: int, more: int, shifted: int, surplus: int
) -> None:
    """SPEC 7.34: a wrong index, count, amount or sum is refused, and never by a revert."""
    leaves = [SumLeaf(keccak(bytes([i])), amount) for i, amount in enumerate(amounts)]
    root = sum_root(leaves, keccak)
    honest = prove_sum(leaves, index % len(leaves), keccak)
    path = list(honest.path) + [(bytes(32), 0)] * surplus
    if path and shifted:
        path[0] = (path[0][0], min(path[0][1] + shifted, 2**256 - 1))
    proof = SumProof(index, claimed, tuple(path))
    leaf = SumLeaf(leaves[index % len(leaves)].key, leaves[index % len(leaves)].amount + more)
    call = libraries.functions.sumVerify(leaf.key, leaf.amount, solidity(proof), root.digest, root.total)
    assert call.call() == verify_sum(leaf, proof, root, keccak)
    climbed = climb(leaf, proof, keccak)
    found = libraries.functions.sumClimb(leaf.key, leaf.amount, solidity(proof)).call()
    if climbed is None:
        assert found == [False, bytes(32), 0, 0]
    else:
        top, total = climbed
        record = record_digest(top, proof.count, total, keccak)
        assert found == [True, record, total, sum_before(proof)]


def test_a_proof_has_neither_too_few_nor_too_many_siblings(libraries: Contract) -> None:
    """SPEC 7.34: the path has exactly the siblings that index and count ask for."""
    leaves = [SumLeaf(keccak(bytes([i])), i) for i in range(5)]
    root = sum_root(leaves, keccak)
    for index, leaf in enumerate(leaves):
        path = list(prove_sum(leaves, index, keccak).path)
        for changed, accepted in ((path, True), (path[:-1], False), ([*path, (bytes(32), 0)], False)):
            proof = index, 5, changed
            call = libraries.functions.sumVerify(leaf.key, leaf.amount, proof, root.digest, root.total)
            assert call.call() is accepted
