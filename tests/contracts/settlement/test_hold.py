"""Open disputes delay finality, and not for ever."""

import pytest

from tests.contracts.epochs import Ledger
from tests.contracts.judged import HOLDER, commit, state, void_commitment
from tests.contracts.world import Mined, World, reverts


def hold(world: World, epoch: int, by: str = HOLDER, at: int | None = None) -> Mined:
    return world.send(world.settlement.functions.hold(epoch), by, at)


def release(world: World, epoch: int, by: str = HOLDER) -> Mined:
    return world.send(world.settlement.functions.release(epoch), by)


def held_until(world: World, mined: Mined) -> int:
    return mined.time + world.settings.unbonding_period


def test_finality_waits_for_every_hold(court: World, book: Ledger) -> None:
    """SPEC 7.66: no epoch is final while a dispute is open on it; each release ends one hold."""
    epoch = state(book, {"node": 50})
    end = commit(book, epoch, {"node": 50}).time + court.settings.challenge_window
    hold(court, epoch)
    mined = hold(court, epoch)
    until = held_until(court, mined)
    (event,) = court.events(mined, court.settlement, "EpochHeld")
    assert (event["epoch"], event["holder"], event["holds"], event["until"]) == (
        epoch, court.address(HOLDER), 2, until,
    )  # fmt: skip
    assert court.settlement.functions.holdsOn(epoch).call() == [2, until]
    court.pass_to(end)
    with reverts("EpochSettlementHeld", epoch, 2, until):
        book.finalize(epoch)
    (event,) = court.events(release(court, epoch), court.settlement, "EpochReleased")
    assert event["holds"] == 1
    with reverts("EpochSettlementHeld", epoch, 1, until):
        book.finalize(epoch)
    release(court, epoch)
    book.finalize(epoch)


def test_later_epochs_wait_with_it_and_earlier_ones_do_not(court: World, book: Ledger) -> None:
    """SPEC 7.66: finality goes in order, so a hold delays what was built on the epoch, and nothing else."""
    first, second, third = (state(book, {"node": 50}) for _ in range(3))
    for epoch in (first, second, third):
        end = commit(book, epoch, {"node": 50}).time + court.settings.challenge_window
    hold(court, second)
    court.pass_to(end)
    book.finalize(first)
    with reverts("EpochSettlementPreviousNotFinal", third, second):
        book.finalize(third)


@pytest.mark.parametrize(("offset", "accepted"), [(-1, True), (0, False)])
def test_a_dispute_begins_in_the_window(court: World, book: Ledger, offset: int, accepted: bool) -> None:
    """SPEC 7.66: a hold is taken while now < the end of the window."""
    epoch = state(book, {"node": 50})
    until = commit(book, epoch, {"node": 50}).time + court.settings.challenge_window
    if accepted:
        hold(court, epoch, at=until + offset)
        return
    with reverts("EpochSettlementWindowOver", epoch, until):
        hold(court, epoch, at=until + offset)


def test_a_dispute_may_begin_before_the_commitment(court: World, book: Ledger) -> None:
    """SPEC 7.66: a statement can be disputed as soon as it is there; the hold binds the later commitment."""
    for unstated in (0, 77):
        with reverts("EpochSettlementNothingStated", unstated):
            hold(court, unstated)
    epoch = state(book, {"node": 50})
    hold(court, epoch)
    end = commit(book, epoch, {"node": 50}).time + court.settings.challenge_window
    with reverts("EpochSettlementHeld"):
        book.finalize(epoch, at=end)
    release(court, epoch)
    book.finalize(epoch)


def test_a_hold_outlives_the_commitment(court: World, book: Ledger) -> None:
    """SPEC 7.66: it is on the epoch; a void and a new commitment do not end the dispute."""
    epoch = state(book, {"node": 50})
    commit(book, epoch, {"node": 50})
    hold(court, epoch)
    void_commitment(court, epoch)
    book.commitments.clear()
    end = commit(book, epoch, {"node": 50}).time + court.settings.challenge_window
    with reverts("EpochSettlementHeld"):
        book.finalize(epoch, at=end)
    release(court, epoch)
    book.finalize(epoch)


@pytest.mark.parametrize(("offset", "accepted"), [(-1, False), (0, True)])
def test_no_hold_lasts_longer_than_stake_answers(
    court: World, book: Ledger, offset: int, accepted: bool
) -> None:
    """SPEC 7.66: a hold that nobody ends is over when the unbonding period is."""
    epoch = state(book, {"node": 50})
    commit(book, epoch, {"node": 50})
    until = held_until(court, hold(court, epoch))
    if accepted:
        book.finalize(epoch, at=until + offset)
        release(court, epoch)
        return
    with reverts("EpochSettlementHeld", epoch, 1, until):
        book.finalize(epoch, at=until + offset)


def test_only_holders_hold_and_release(court: World, book: Ledger) -> None:
    """SPEC 7.66: nobody else delays, and nothing is released that is not held."""
    epoch = state(book, {"node": 50})
    for caller in ("stranger", "challenger", "node"):
        for act in (hold, release):
            with reverts("EpochSettlementNotHolder", court.address(caller)):
                act(court, epoch, by=caller)
    with reverts("EpochSettlementNotHeld", epoch):
        release(court, epoch)
