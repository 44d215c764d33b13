"""OpenMerkle against the vectors of protocol.merkle."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from web3.contract import Contract

from node.chain.keccak import keccak
from protocol import merkle
from tests.contracts.libraries.conftest import vectors


def words(texts: list[str]) -> list[bytes]:
    return [bytes.fromhex(text[2:]) for text in texts]


def test_every_vector_verifies(libraries: Contract) -> None:
    """SPEC 7.33: Solidity and Python accept the same proofs."""
    verified = 0
    for case in vectors("merkle")["cases"]:
        root = bytes.fromhex(case["root"][2:])
        for payload, proof in zip(words(case["payloads"]), case["proofs"], strict=True):
            given_proof = (proof["index"], proof["count"], words(proof["path"]))
            assert libraries.functions.merkleVerify(payload, given_proof, root).call()
            verified += 1
    assert verified > 20


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    count=st.integers(1, 17),
    index=st.integers(0, 18),
    claimed=st.integers(0, 18),
    drop=st.integers(0, 1),
    flip=st.integers(0, 300),
)
def test_a_changed_proof_is_judged_as_python_judges_it(
    libraries: Contract, count: int, index: int, claimed: int, drop: int, flip: int
) -> None:
    """SPEC 7.34: a wrong index, count, path length or bit is refused, and never by a revert."""
    payloads = [keccak(bytes([i])) for i in range(count)]
    root = merkle.root(payloads, keccak)
    honest = merkle.prove(payloads, index % count, keccak)
    path = list(honest.path)[: len(honest.path) - drop]
    if path and flip < 256:
        target = flip % len(path)
        path[target] = bytes([path[target][0] ^ 1]) + path[target][1:]
    proof = merkle.Proof(index, claimed, tuple(path))
    payload = payloads[index % count]
    solidity = libraries.functions.merkleVerify(payload, (proof.index, proof.count, path), root).call()
    assert solidity == merkle.verify(payload, proof, root, keccak)


def test_nothing_verifies_under_the_empty_root(libraries: Contract) -> None:
    payload = keccak(b"x")
    assert not libraries.functions.merkleVerify(payload, (0, 0, []), merkle.EMPTY_ROOT).call()
    assert not libraries.functions.merkleVerify(payload, (0, 1, []), merkle.EMPTY_ROOT).call()


def test_a_node_is_no_leaf(libraries: Contract) -> None:
    """An inner node's hash presented as a payload proves nothing: leaves and nodes carry different tags."""
    payloads = [keccak(bytes([i])) for i in range(4)]
    root = merkle.root(payloads, keccak)
    left_node = merkle.prove(payloads, 2, keccak).path[1]
    right_node = merkle.prove(payloads, 0, keccak).path[1]
    assert not libraries.functions.merkleVerify(left_node, (0, 2, [right_node]), root).call()


def test_a_proof_has_neither_too_few_nor_too_many_siblings(libraries: Contract) -> None:
    """SPEC 7.34: the path has exactly the siblings that index and count ask for."""
    payloads = [keccak(bytes([i])) for i in range(5)]
    root = merkle.root(payloads, keccak)
    for index, payload in enumerate(payloads):
        path = list(merkle.prove(payloads, index, keccak).path)
        for changed, accepted in ((path, True), (path[:-1], False), ([*path, bytes(32)], False)):
            assert libraries.functions.merkleVerify(payload, (index, 5, changed), root).call() is accepted
