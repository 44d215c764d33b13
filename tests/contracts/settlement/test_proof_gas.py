"""Fault proofs stay payable however large an epoch is."""

from tests.contracts.epochs import Ledger
from tests.contracts.ledger_deep import proof_gas

LIMIT = 250_000
# Four paths of 17 siblings and a receipt.
ABSENT_LINE_LIMIT = 270_000


def test_each_proof_is_within_its_gas(ledger: Ledger) -> None:
    """SPEC 7.116: at depth 17, sealed, the slash included."""
    found = proof_gas(ledger)
    assert len(found) == 14
    assert found.pop("VoucherFaults.proveUnderpaid (depth 17)") <= ABSENT_LINE_LIMIT
    assert max(found.values()) <= LIMIT, found
