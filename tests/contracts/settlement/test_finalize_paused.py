"""What the guardian's pause stops in the settlement, and what it cannot."""

from scripts.deployment_plan import PAUSABLE
from tests.contracts.epochs import Ledger
from tests.contracts.judged import commit, state, void_commitment, void_statement
from tests.contracts.world import World, reverts


def pause(world: World, module: str) -> int:
    guardian = world.contract("Guardian")
    world.send(guardian.functions.pause(world.checksum(world.record["contracts"][module])), "guardian")
    return world.now + world.settings.pause_limit


def test_a_pause_stops_finality_and_nothing_else(court: World, book: Ledger) -> None:
    """SPEC 7.67: while paused nothing becomes final; claims, statements, commitments and voids go on."""
    final = book.settle("node", {"contributor": 300})
    epoch = state(book, {"node": 50, "other_node": 70})
    until = pause(court, "EpochSettlement")
    end = commit(book, epoch, {"node": 50, "other_node": 70}).time + court.settings.challenge_window
    with reverts("EpochSettlementPaused"):
        book.finalize(epoch, at=end)
    book.claim("contributor", commitment=final)
    void_statement(court, epoch, "other_node")
    court.send(court.settlement.functions.rollover(epoch), "other_node")
    book.commitments.pop()
    commit(book, epoch, {"node": 50})
    void_commitment(court, epoch)
    book.commitments.pop()
    commit(book, epoch, {"node": 50})
    with reverts("EpochSettlementPaused"):
        book.finalize(epoch, at=until - 1)
    book.finalize(epoch, at=until)


def test_the_vault_cannot_be_paused(court: World, book: Ledger) -> None:
    """SPEC 7.67: a final claim asks no guardian, whatever is paused."""
    final = book.settle("node", {"contributor": 300})
    for module in ("RewardDistributor", "NodeStaking", "PaymentChannels"):
        with reverts("GuardianUnknownModule"):
            pause(court, module)
    for module in PAUSABLE:
        pause(court, module)
    book.claim("contributor", commitment=final)
    assert court.balance("contributor") == 300
