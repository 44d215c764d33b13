"""Invariants 28 and 29 by the Python verdicts: honest epochs stand, and each corruption of a field falls."""

from random import Random

import pytest
from eth_hash.auto import keccak

from protocol.ledger_faults import LedgerFault
from protocol.ledger_watch import find_ledger_faults
from protocol.receipt_watch import find_receipt_faults
from tests.protocol.forgeries import Fault, forgeries
from tests.protocol.ledger_corruptions import Corrupted, corrupted
from tests.protocol.ledgers import Played, PlayedEpoch, play

# Roots that nobody can open and rows that nobody shows: a data challenge asks for them.
UNPROVABLE = {
    "statement: root",
    "statement: receipts root",
    "receipt: omitted",
    "voucher: receipts root",
    "commitment: entry root",
    "commitment: cumulative root",
    "commitment: roots exchanged",
}
# Who among a request's earners gets what: provable where a role loses its part or the order breaks; otherwise
# the report decides (F3, F4), or, for a request without a receipt, a data challenge.
SOMETIMES = {"line: major smaller", "line: major larger", "line: minor", "line: one wei moved"}


def faults(one: PlayedEpoch | Corrupted, played: Played) -> list[Fault]:
    evidence = one.evidence if isinstance(one, Corrupted) else played.evidence
    found: list[Fault] = list(find_ledger_faults(one.records, one.data, keccak))
    for node, published in one.data.statements.items():
        found += find_receipt_faults(one.records, node, published, evidence, keccak)
    return found


def holds(fault: Fault, one: PlayedEpoch | Corrupted, played: Played) -> bool:
    evidence = one.evidence if isinstance(one, Corrupted) else played.evidence
    if isinstance(fault, LedgerFault):
        return fault.holds(one.records, keccak)
    return fault.holds(one.records, evidence.payments, keccak)


@pytest.mark.parametrize("seed", range(12))
def test_nothing_is_found_against_an_honest_epoch(seed):
    """SPEC 7.100"""
    played = play(seed)
    for epoch in played.epochs:
        assert faults(epoch, played) == []


@pytest.mark.parametrize("seed", range(8))
def test_no_evidence_convicts_an_honest_epoch(seed):
    """SPEC 7.100: its own leaves in every combination, and mutations of them."""
    played = play(seed, epochs=2)
    for epoch in played.epochs:
        for fault in forgeries(played, epoch, Random(seed), 140):
            assert not holds(fault, epoch, played), fault


@pytest.mark.parametrize("price", [1, 2, 10**6])
def test_the_smallest_epochs_stand(price):
    """SPEC 7.100: one receipt, sometimes one line, nothing before it."""
    for seed in range(6):
        played = play(
            seed, epochs=1, channels={"0x" + "07".zfill(40): [b"\x01" * 32]}, most=1, prices=(price,)
        )
        assert faults(played.epochs[0], played) == []
        for fault in forgeries(played, played.epochs[0], Random(seed), 56):
            assert not holds(fault, played.epochs[0], played), fault


@pytest.mark.parametrize("seed", range(6))
def test_each_corruption_has_a_proof(seed):
    """SPEC 7.101, 7.102: and every proof that is found holds."""
    played = play(seed)
    seen = set()
    for epoch in played.epochs:
        for wrong in corrupted(played, epoch, Random(seed)):
            found = faults(wrong, played)
            assert all(holds(fault, wrong, played) for fault in found)
            assert found or wrong.name in UNPROVABLE | SOMETIMES, wrong.name
            assert not (found and wrong.name in UNPROVABLE), wrong.name
            seen.add(wrong.name)
    assert len(seen) > 60
