"""A statement proven false: what it takes with it, and what stays."""

import pytest

from tests.contracts.epochs import Ledger
from tests.contracts.judged import HOLDER, JUDGE, commit, state, void_commitment, void_statement
from tests.contracts.world import World, reverts

BOTH = {"node": 50, "other_node": 70}
NONE = (bytes(32), bytes(32), 0, "0x" + "00" * 20, 0, 0, False)


def commitment(world: World, epoch: int) -> tuple[object, ...]:
    return tuple(world.settlement.functions.getCommitment(epoch).call())


def test_its_money_leaves_the_epoch_and_its_node_moves_it_on(court: World, book: Ledger) -> None:
    """SPEC 7.60: a void statement's money leaves the epoch's total; its node states it later."""
    epoch = state(book, BOTH)
    mined = void_statement(court, epoch, "other_node")
    (event,) = court.events(mined, court.settlement, "StatementVoided")
    assert (event["epoch"], event["node"], event["judge"]) == (
        epoch, court.address("other_node"), court.address(JUDGE),
    )  # fmt: skip
    assert court.settlement.functions.statedTotal(epoch).call() == 50
    commit(book, epoch, {"node": 50})
    court.send(court.settlement.functions.rollover(epoch), "other_node")
    moved = book.epoch
    court.pass_to(book.end_of(moved))
    book.publish(book.statement(moved, "other_node", {"contributor": 70}), "other_node")
    commit(book, moved, {"other_node": 70})
    assert court.settlement.functions.latestCommitted().call()[2] == 120


def test_nobody_else_moves_it(court: World, book: Ledger) -> None:
    """SPEC 7.60: the money stays its node's."""
    epoch = state(book, BOTH)
    void_statement(court, epoch, "other_node")
    for caller in ("stranger", JUDGE):
        with reverts("EpochSettlementStillOpen", epoch):
            court.send(court.settlement.functions.rollover(epoch), caller)
    assert court.settlement.functions.funded(epoch, court.address("other_node")).call() == 70


def test_it_is_not_stated_twice_in_its_epoch(court: World, book: Ledger) -> None:
    """SPEC 7.60: a void statement is not replaced in place."""
    epoch = state(book, BOTH)
    void_statement(court, epoch, "other_node")
    with reverts("EpochSettlementAlreadyStated", epoch, court.address("other_node")):
        book.publish(book.statement(epoch, "other_node", {"contributor": 70}), "other_node")


def test_the_commitments_upon_it_fall_and_earlier_ones_stand(court: World, book: Ledger) -> None:
    """SPEC 7.61: it takes its commitment and all upon it; what was final stays final and claimable."""
    final = book.settle("node", {"contributor": 300})
    first = state(book, BOTH)
    commit(book, first, BOTH)
    second = state(book, {"node": 9})
    commit(book, second, {"node": 9})
    bonds = court.staking.functions.locked(court.address("node")).call()
    mined = void_statement(court, first, "other_node")
    (event,) = court.events(mined, court.settlement, "CommitmentVoided")
    assert (event["epoch"], event["judge"]) == (first, court.address(JUDGE))
    assert commitment(court, first) == commitment(court, second) == NONE
    assert tuple(court.settlement.functions.previousCommitment(second).call()) == NONE
    assert court.settlement.functions.latestCommitted().call() == [final.epoch, final.cum_root.digest, 300]
    assert court.settlement.functions.nextToCommit().call() == [True, first]
    assert court.staking.functions.locked(court.address("node")).call() == bonds
    book.claim("contributor", commitment=final)
    assert court.balance("contributor") == 300


def test_what_fell_is_committed_again_in_order(court: World, book: Ledger) -> None:
    """SPEC 7.62: the epochs are committed again, each adding what still stands, and become final."""
    first = state(book, BOTH)
    commit(book, first, BOTH)
    second = state(book, {"node": 9})
    commit(book, second, {"node": 9})
    void_statement(court, first, "other_node")
    book.commitments.clear()
    with reverts("EpochSettlementOutOfOrder", second, first):
        commit(book, second, {"node": 9})
    commit(book, first, {"node": 50}, "other_node")
    assert commitment(court, first)[2:4] == (50, court.address("other_node"))
    end = commit(book, second, {"node": 9}).time + court.settings.challenge_window
    court.pass_to(end)
    book.finalize(first)
    book.finalize(second)
    assert court.settlement.functions.latestFinal().call()[2] == 59
    assert court.distributor.functions.finalRoot().call() == book.commitments[-1].cum_root.digest


def test_what_was_committed_once_takes_no_more_statements(court: World, book: Ledger) -> None:
    """SPEC 7.62: a void commitment does not open its epoch again."""
    epoch = book.earn("node", 50)
    book.earn("other_node", 70)
    court.pass_to(book.end_of(epoch + 1))
    book.publish(book.statement(epoch, "node", {"contributor": 50}), "node")
    commit(book, epoch, {"node": 50})
    void_commitment(court, epoch)
    assert court.settlement.functions.isClosed(epoch).call()
    with reverts("EpochSettlementClosed", epoch):
        book.publish(book.statement(epoch, "other_node", {"contributor": 70}), "other_node")
    court.send(court.settlement.functions.rollover(epoch), "other_node")


def test_an_epoch_of_void_statements_adds_nothing(court: World, book: Ledger) -> None:
    """SPEC 7.64: it is committed all the same, so that the next one can be, and its money is not lost."""
    before = book.settle("node", {"contributor": 300})
    epoch = state(book, {"other_node": 70})
    void_statement(court, epoch, "other_node")
    later = state(book, {"node": 9})
    with reverts("EpochSettlementOutOfOrder", later, epoch):
        commit(book, later, {"node": 9})
    empty = book.build(epoch, [])
    assert (empty.cum_root, empty.entry_root.count) == (before.cum_root, 0)
    book.commit(empty)
    commit(book, later, {"node": 9})
    assert court.settlement.functions.latestCommitted().call()[2] == 309
    court.send(court.settlement.functions.rollover(epoch), "other_node")
    assert court.settlement.functions.funded(book.epoch, court.address("other_node")).call() == 70


def test_the_first_epoch_may_be_void(court: World, book: Ledger) -> None:
    """SPEC 7.64: also where nothing was committed before."""
    epoch = state(book, {"other_node": 70})
    void_statement(court, epoch, "other_node")
    end = book.commit(book.build(epoch, [])).time + court.settings.challenge_window
    book.finalize(epoch, at=end)
    assert court.settlement.functions.latestFinal().call() == [epoch, bytes(32), 0]
    book.settle("node", {"contributor": 8})
    book.claim("contributor")
    assert court.balance("contributor") == 8


def test_only_judges_void_and_only_once(court: World, book: Ledger) -> None:
    """SPEC 7.63: nobody but a judge; nothing that is void, unknown or final."""
    epoch = state(book, BOTH)
    for caller in ("stranger", "node", "deployer"):
        with reverts("EpochSettlementNotJudge", court.address(caller)):
            void_statement(court, epoch, "node", by=caller)
    void_statement(court, epoch, "node")
    with reverts("EpochSettlementNotChallengeable", epoch, court.address("node")):
        void_statement(court, epoch, "node")
    with reverts("EpochSettlementNotChallengeable", epoch, court.address("stranger")):
        void_statement(court, epoch, "stranger")


@pytest.mark.parametrize("by", [JUDGE, HOLDER])
def test_what_is_final_is_not_void(court: World, book: Ledger, by: str) -> None:
    """SPEC 7.63: finality ends every challenge."""
    final = book.settle("node", {"contributor": 300})
    assert not court.settlement.functions.isChallengeable(final.epoch, court.address("node")).call()
    with reverts("EpochSettlementNotChallengeable", final.epoch, court.address("node")):
        void_statement(court, final.epoch, "node", by=by)


@pytest.mark.parametrize(("offset", "accepted"), [(-1, True), (0, False), (10, False)])
def test_planted_faults_do_not_put_finality_off(
    court: World, book: Ledger, offset: int, accepted: bool
) -> None:
    """SPEC 7.65: after a void, statements are challenged while now < the end of the first window only."""
    epoch = state(book, BOTH)
    until = commit(book, epoch, BOTH).time + court.settings.challenge_window
    void_statement(court, epoch, "other_node")
    book.commitments.clear()
    commit(book, epoch, {"node": 50})
    if accepted:
        void_statement(court, epoch, "node", at=until + offset)
        return
    with reverts("EpochSettlementNotChallengeable", epoch, court.address("node")):
        void_statement(court, epoch, "node", at=until + offset)
    assert not court.settlement.functions.isChallengeable(epoch, court.address("node")).call()
    assert court.settlement.functions.isStanding(epoch, court.address("node")).call()
    void_statement(court, epoch, "node", by=HOLDER)


def test_the_first_window_counts_between_two_commitments_too(court: World, book: Ledger) -> None:
    """SPEC 7.65: also while no commitment stands, and for a commitment that fell with an earlier one."""
    first = state(book, BOTH)
    commit(book, first, BOTH)
    second = state(book, {"node": 9})
    until = commit(book, second, {"node": 9}).time + court.settings.challenge_window
    void_statement(court, first, "other_node")
    with reverts("EpochSettlementNotChallengeable", second, court.address("node")):
        void_statement(court, second, "node", at=until)


def test_until_the_first_finality_every_fault_counts(court: World, book: Ledger) -> None:
    """SPEC 7.65: where no commitment was void, faults are shown until somebody makes the epoch final."""
    epoch = state(book, BOTH)
    until = commit(book, epoch, BOTH).time + court.settings.challenge_window
    void_statement(court, epoch, "node", at=until + 5)


def test_a_void_costs_the_same_however_much_falls(court: World, book: Ledger) -> None:
    """SPEC 7.69: one commitment or many upon it, the gas does not grow."""
    costs = []
    for height in (1, 4):
        first = state(book, BOTH)
        commit(book, first, BOTH)
        for _ in range(height - 1):
            commit(book, state(book, {"node": 9}), {"node": 9})
        costs.append(void_statement(court, first, "other_node").gas)
        del book.commitments[-height:]
        commit(book, first, {"node": 50})
        for _ in range(height - 1):
            epoch = court.settlement.functions.nextToCommit().call()[1]
            commit(book, epoch, {"node": 9})
    assert abs(costs[0] - costs[1]) < 100, costs
