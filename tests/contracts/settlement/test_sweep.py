"""Money of a node that is gone: after its time it is the treasury's, and never stuck."""

import pytest

from tests.contracts.epochs import Ledger
from tests.contracts.judged import commit, state, void_statement
from tests.contracts.world import Mined, World, reverts


def sweep(world: World, epoch: int, node: str = "other_node", at: int | None = None) -> Mined:
    return world.send(world.settlement.functions.sweep(epoch, world.address(node)), "stranger", at)


def abandoned(world: World, ledger: Ledger, epoch: int) -> int:
    return ledger.end_of(epoch + 1) + world.settings.abandoned_after


def treasury(world: World) -> str:
    return str(world.parameters.functions.treasury().call())


@pytest.mark.parametrize(("offset", "accepted"), [(-1, False), (0, True)])
def test_unstated_money_is_its_nodes_for_a_fixed_time(
    court: World, book: Ledger, offset: int, accepted: bool
) -> None:
    """SPEC 7.68: anyone sends it to the treasury from grace + abandonedAfter on, not a second earlier."""
    epoch = book.earn("other_node", 70)
    since = abandoned(court, book, epoch)
    if not accepted:
        with reverts("EpochSettlementNotAbandoned", epoch, court.address("other_node"), since):
            sweep(court, epoch, at=since + offset)
        return
    before = court.balance(treasury(court))
    mined = sweep(court, epoch, at=since + offset)
    (event,) = court.events(mined, court.settlement, "FundsSwept")
    assert (event["epoch"], event["node"], event["treasury"], event["amount"]) == (
        epoch, court.address("other_node"), treasury(court), 70,
    )  # fmt: skip
    (paid,) = court.events(mined, court.distributor, "UnstatedPaid")
    assert (paid["treasury"], paid["amount"]) == (treasury(court), 70)
    assert court.balance(treasury(court)) - before == 70
    assert court.balance(court.distributor.address) == 0


def test_it_is_taken_once_and_cannot_be_stated_any_more(court: World, book: Ledger) -> None:
    """SPEC 7.68: swept money is neither stated nor rolled over nor swept again."""
    epoch = book.earn("other_node", 70)
    book.earn("node", 50)
    sweep(court, epoch, at=abandoned(court, book, epoch))
    assert court.settlement.functions.waitingFor(epoch).call() == 1
    with reverts("EpochSettlementNothingFunded", epoch, court.address("other_node")):
        sweep(court, epoch)
    with reverts("EpochSettlementNothingFunded", epoch, court.address("other_node")):
        book.publish(book.statement(epoch, "other_node", {"contributor": 70}), "other_node")
    book.publish(book.statement(epoch, "node", {"contributor": 50}), "node")
    commit(book, epoch, {"node": 50})
    with reverts("EpochSettlementNothingFunded", epoch, court.address("other_node")):
        court.send(court.settlement.functions.rollover(epoch), "other_node")


def test_stated_money_is_never_swept(court: World, book: Ledger) -> None:
    """SPEC 7.68: what a standing statement promised is paid to whom it names, however late."""
    epoch = state(book, {"other_node": 70})
    late = abandoned(court, book, epoch)
    with reverts("EpochSettlementAlreadyStated", epoch, court.address("other_node")):
        sweep(court, epoch, at=late)
    end = commit(book, epoch, {"other_node": 70}).time + court.settings.challenge_window
    book.finalize(epoch, at=end)
    with reverts("EpochSettlementAlreadyStated", epoch, court.address("other_node")):
        sweep(court, epoch)


def test_money_of_a_void_statement_is_swept_too(court: World, book: Ledger) -> None:
    """SPEC 7.68: a node that lied and left leaves nothing locked behind."""
    epoch = state(book, {"node": 50, "other_node": 70})
    void_statement(court, epoch, "other_node")
    commit(book, epoch, {"node": 50})
    before = court.balance(treasury(court))
    sweep(court, epoch, at=abandoned(court, book, epoch))
    assert court.balance(treasury(court)) - before == 70
    assert court.balance(court.distributor.address) == 50


def test_rolling_over_starts_the_time_anew(court: World, book: Ledger) -> None:
    """SPEC 7.68: the time runs from the epoch in which the money stands."""
    epoch = state(book, {"node": 50, "other_node": 70})
    void_statement(court, epoch, "other_node")
    court.pass_to(abandoned(court, book, epoch) - 2)
    court.send(court.settlement.functions.rollover(epoch), "other_node")
    moved = book.epoch
    with reverts("EpochSettlementNotAbandoned"):
        sweep(court, moved, at=abandoned(court, book, moved) - 1)
    sweep(court, moved)
