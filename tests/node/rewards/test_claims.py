"""Claims: the proof that a contract gets is the proof that the protocol made."""

from hypothesis import given
from hypothesis import strategies as st

from node.chain.keccak import keccak
from node.rewards.claims import Entitlement, solidity_proof
from protocol.epoch import build_commitment, claim_proof, cumulative_leaf
from protocol.sumtree import SumProof, verify_sum
from protocol.types import Address

ACCOUNTS = st.integers(1, 2**160 - 1).map(lambda number: Address(f"0x{number:040x}"))


@given(st.dictionaries(ACCOUNTS, st.integers(0, 2**100), min_size=1, max_size=20))
def test_every_accounts_proof_survives_the_way_to_the_contract(table: dict[Address, int]) -> None:
    """SPEC 8.40"""
    commitment = build_commitment(1, [], table, keccak)
    for account, amount in commitment.cumulative:
        index, count, path = solidity_proof(claim_proof(commitment, account, keccak))
        proof = SumProof(index, count, tuple(path))
        assert verify_sum(cumulative_leaf(account, amount), proof, commitment.cum_root, keccak)
        assert not verify_sum(cumulative_leaf(account, amount + 1), proof, commitment.cum_root, keccak)


@given(cumulative=st.integers(0, 2**128), claimed=st.integers(0, 2**128))
def test_nothing_is_open_that_was_claimed_before(cumulative: int, claimed: int) -> None:
    """SPEC 8.40"""
    open_amount = Entitlement("0x", 1, cumulative, claimed).claimable
    assert open_amount >= 0
    assert claimed + open_amount == max(claimed, cumulative)
