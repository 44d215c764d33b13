"""Commitments: in order, solvent, bonded."""

import pytest

from tests.contracts.epochs import Ledger
from tests.contracts.world import World, reverts

BOND = 100 * 10**18


def stated(ledger: Ledger, node: str, amount: int):  # type: ignore[no-untyped-def]
    """An epoch with one published statement; returns it and the commitment it makes."""
    epoch = ledger.earn(node, amount)
    ledger.world.pass_to(ledger.end_of(epoch))
    statement = ledger.statement(epoch, node, {"contributor": amount})
    ledger.publish(statement, node)
    return epoch, ledger.build(epoch, [statement])


@pytest.mark.parametrize("difference", [-1, 1, 10**20])
def test_a_commitment_adds_exactly_what_was_stated(world: World, ledger: Ledger, difference: int) -> None:
    """SPEC 7.25: total - previous total == stated, checked at commit, whatever the roots say."""
    ledger.settle("node", {"contributor": 300})
    _, commitment = stated(ledger, "node", 50)
    with reverts("EpochSettlementSolvency", 350 + difference, 300, 50):
        ledger.commit(commitment, total=350 + difference)
    ledger.commit(commitment)
    assert world.settlement.functions.latestCommitted().call()[2] == 350


def test_a_commitment_stands_on_the_last_one(world: World, ledger: Ledger) -> None:
    """SPEC 7.26: a commitment names the cumulative root it adds to."""
    first = ledger.settle("node", {"contributor": 300})
    _, commitment = stated(ledger, "node", 50)
    for wrong in (bytes(32), b"\x01" * 32):
        with reverts("EpochSettlementPreviousRoot", wrong, first.cum_root.digest):
            ledger.commit(commitment, prevCumRoot=wrong)


def test_stated_epochs_are_committed_in_order(world: World, ledger: Ledger) -> None:
    """SPEC 7.23: stated epochs are committed in order, none left out; unstated ones need none."""
    first, early = stated(ledger, "node", 50)
    world.pass_to(world.now + 700)
    second, _ = stated(ledger, "node", 60)
    assert second > first + 1
    late = ledger.build(second, [ledger.statement(second, "node", {"contributor": 60})])
    with reverts("EpochSettlementOutOfOrder", second, first):
        ledger.commit(late)
    ledger.commit(early)
    assert world.settlement.functions.nextToCommit().call() == [True, second]
    ledger.commit(ledger.build(second, [ledger.statement(second, "node", {"contributor": 60})]))
    with reverts("EpochSettlementNothingStated", second):
        ledger.commit(late)


def test_every_funded_node_has_an_epoch_to_state(world: World, ledger: Ledger) -> None:
    """SPEC 7.24: while a funded node may still state, nobody commits without it."""
    epoch = ledger.earn("node", 50)
    assert ledger.earn("other_node", 70) == epoch
    world.pass_to(ledger.end_of(epoch))
    statement = ledger.statement(epoch, "node", {"contributor": 50})
    ledger.publish(statement, "node")
    commitment = ledger.build(epoch, [statement])
    until = ledger.end_of(epoch + 1)
    with reverts("EpochSettlementStatementsOpen", epoch, until):
        ledger.commit(commitment, at=until - 1)
    ledger.commit(commitment, at=until)


def test_no_waiting_when_everyone_has_stated(world: World, ledger: Ledger) -> None:
    epoch = ledger.earn("node", 50)
    ledger.earn("other_node", 70)
    world.pass_to(ledger.end_of(epoch))
    statements = [
        ledger.statement(epoch, n, {"contributor": a}) for n, a in (("node", 50), ("other_node", 70))
    ]
    for statement, node in zip(statements, ("node", "other_node"), strict=True):
        ledger.publish(statement, node)
    ledger.commit(ledger.build(epoch, statements))
    assert world.settlement.functions.latestCommitted().call()[2] == 120


def test_only_staked_nodes_commit_and_they_bond(world: World, ledger: Ledger) -> None:
    """SPEC 7.27: a commitment is bonded by its node's own stake, which is locked; no money moves."""
    _, commitment = stated(ledger, "node", 50)
    with reverts("NodeStakingLockExceedsStake", world.address("stranger"), BOND, 0):
        ledger.commit(commitment, sender="stranger")
    node = world.address("other_node")
    before = world.staking.functions.freeStake(node).call()
    ledger.commit(commitment, sender="other_node")
    assert before - world.staking.functions.freeStake(node).call() == BOND
    assert world.balance(world.settlement.address) == 0


def test_a_signer_commits_for_its_node(world: World, ledger: Ledger) -> None:
    world.authorize("node", "hot_signer")
    epoch, commitment = stated(ledger, "node", 50)
    ledger.commit(commitment, sender="hot_signer")
    record = world.settlement.functions.getCommitment(epoch).call()
    assert record[3] == world.address("node")


@pytest.mark.parametrize(("offset", "accepted"), [(-1, False), (0, True), (1, True)])
def test_finality_comes_with_the_end_of_the_window(
    world: World, ledger: Ledger, offset: int, accepted: bool
) -> None:
    """SPEC 7.28: a commitment is final from committedAt + window on, not a second earlier."""
    epoch, commitment = stated(ledger, "node", 50)
    until = ledger.commit(commitment).time + world.settings.challenge_window
    if accepted:
        ledger.finalize(epoch, at=until + offset)
        assert world.settlement.functions.latestFinal().call() == [epoch, commitment.cum_root.digest, 50]
        return
    with reverts("EpochSettlementWindowOpen", epoch, until):
        ledger.finalize(epoch, at=until + offset)
    assert world.settlement.functions.latestFinal().call() == [0, bytes(32), 0]


def test_finality_goes_in_order_and_happens_once(world: World, ledger: Ledger) -> None:
    """SPEC 7.28: a commitment becomes final after its predecessor, once, and stays so."""
    first, early = stated(ledger, "node", 50)
    ledger.commit(early)
    second, late = stated(ledger, "node", 60)
    mined = ledger.commit(late)
    end = mined.time + world.settings.challenge_window
    world.pass_to(end)
    with reverts("EpochSettlementPreviousNotFinal", second, first):
        ledger.finalize(second)
    ledger.finalize(first)
    ledger.finalize(second)
    for epoch in (first, second):
        with reverts("EpochSettlementAlreadyFinal", epoch):
            ledger.finalize(epoch)
    with reverts("EpochSettlementUnknownCommitment", 77):
        ledger.finalize(77)
    assert world.settlement.functions.latestFinal().call() == [second, late.cum_root.digest, 110]
