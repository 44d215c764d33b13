"""Honest epochs of the reference model stand on chain; what is corrupted in one field falls there."""

from random import Random

import pytest

from protocol.ledger_faults import LedgerFault
from tests.contracts.epochs import Ledger
from tests.contracts.ledgers import Fault, Stage, faults_of
from tests.contracts.world import Reverted, reverts, rewound
from tests.protocol.forgeries import forgeries, mutate
from tests.protocol.ledger_corruptions import Corrupted, corrupted
from tests.protocol.test_ledger_corruptions import SOMETIMES, UNPROVABLE, holds

# What the contracts refuse to record in the first place.
REFUSED = {
    "statement: total": "EpochSettlementStatementTotal",
    "commitment: total": "EpochSettlementSolvency",
}
# A channel's payee is fixed by its id, so that this cannot be forged on chain.
IMPOSSIBLE = {"voucher: another payee"}


@pytest.mark.parametrize("seed", [3])
def test_each_corruption_falls_on_chain(ledger: Ledger, seed: int) -> None:
    """SPEC 7.101: invariant 29, with the evidence that the watcher finds; Solidity and Python agree on it."""
    stage = Stage(ledger, seed)
    proven = set()
    for wrong in corrupted(stage.played, stage.last, Random(seed)):
        if wrong.name in UNPROVABLE | SOMETIMES | IMPOSSIBLE | REFUSED.keys():
            continue
        with rewound(stage.world):
            stage.forge(wrong)
            found = faults_of(wrong)
            assert found, wrong.name
            for fault in found:
                agrees_on_mutants(stage, wrong, fault, Random(seed))
                with rewound(stage.world):
                    proven.add(type(fault).__name__)
                    judge(stage, wrong.node, fault)
    assert len(proven) >= 11, sorted(proven)


def agrees_on_mutants(stage: Stage, wrong: Corrupted, fault: Fault, random: Random) -> None:
    """The contract accepts exactly the evidence that the Python verdict accepts."""
    for _ in range(2):
        mutant = mutate(fault, random)
        accepted = True
        try:
            stage.world.call(stage.call(mutant))
        except Reverted:
            accepted = False
        assert accepted == holds(mutant, wrong, stage.played), mutant


def judge(stage: Stage, node, fault) -> None:  # type: ignore[no-untyped-def]
    mined = stage.prove(fault)
    judge = stage.world.contract("LedgerFaults" if isinstance(fault, LedgerFault) else "VoucherFaults")
    (event,) = stage.world.events(mined, judge, "FaultProven")
    assert event["slashed"] > 0
    if node is None:
        assert stage.world.settlement.functions.getCommitment(stage.epoch).call()[1] == bytes(32)
        assert event["node"] == stage.world.address("node")
    else:
        assert stage.statement(node)[-1] is True
        assert event["node"].lower() == node
    with pytest.raises(Reverted):
        stage.prove(fault)


def test_wrong_totals_are_refused_before_anyone_must_prove_them(ledger: Ledger) -> None:
    """SPEC 7.101: the contract compares totals itself."""
    stage = Stage(ledger, 3)
    number = stage.epochs - 1
    for wrong in corrupted(stage.played, stage.last, Random(3)):
        if wrong.name not in REFUSED:
            continue
        with rewound(stage.world):
            stage.claim(dict(stage.last.vouchers))
            stage.end(number)
            if wrong.node is None:
                stage.publish(number, dict(wrong.records.statements))
                with reverts(REFUSED[wrong.name]):
                    stage.commit(number, wrong.records.commitment)
            else:
                record = wrong.records.statement(wrong.node)
                call = stage.world.settlement.functions.publishStatement(
                    stage.epoch, record.root, record.count, record.total, record.receipts_root, b"\x01" * 36
                )
                actor = "node" if wrong.node == stage.world.plain("node") else "other_node"
                with reverts(REFUSED[wrong.name]):
                    stage.world.send(call, actor)


@pytest.mark.parametrize("seed", [1])
def test_an_honest_epoch_stands_against_whatever_is_brought(ledger: Ledger, seed: int) -> None:
    """SPEC 7.100: invariant 28 on chain, with forged and mutated evidence."""
    stage = Stage(ledger, seed)
    honest = stage.honest()
    stage.forge(honest)
    assert faults_of(honest) == []
    tried = 0
    for fault in forgeries(stage.played, stage.last, Random(seed), 60):
        with pytest.raises(Reverted):
            stage.world.call(stage.call(fault))
        tried += 1
    assert tried >= 60
