"""Money of an epoch that its node did not state."""

from tests.contracts.epochs import Ledger
from tests.contracts.world import World, reverts


def funded(world: World, epoch: int, node: str) -> int:
    return int(world.settlement.functions.funded(epoch, world.address(node)).call())


def leave_out_the_other(world: World, ledger: Ledger) -> int:
    """An epoch that funded two nodes and was committed with one statement."""
    epoch = ledger.earn("node", 50)
    ledger.earn("other_node", 70)
    world.pass_to(ledger.end_of(epoch))
    statement = ledger.statement(epoch, "node", {"contributor": 50})
    ledger.publish(statement, "node")
    ledger.commit(ledger.build(epoch, [statement]), at=ledger.end_of(epoch + 1))
    return epoch


def test_unstated_money_moves_to_the_current_epoch_and_is_paid_there(world: World, ledger: Ledger) -> None:
    """SPEC 7.29: unstated funds roll over to the current epoch; none are lost, none paid twice."""
    epoch = leave_out_the_other(world, ledger)
    world.send(world.settlement.functions.rollover(epoch), "other_node")
    current = ledger.epoch
    assert (funded(world, epoch, "other_node"), funded(world, current, "other_node")) == (0, 70)
    with reverts("EpochSettlementNothingFunded", epoch, world.address("other_node")):
        world.send(world.settlement.functions.rollover(epoch), "other_node")
    world.pass_to(ledger.end_of(current))
    statement = ledger.statement(current, "other_node", {"curator": 70})
    ledger.publish(statement, "other_node")
    ledger.commit(ledger.build(current, [statement]))
    assert world.settlement.functions.latestCommitted().call()[2] == 120


def test_a_closed_epoch_takes_no_statement(world: World, ledger: Ledger) -> None:
    """SPEC 7.23: nothing is added to an epoch after its commitment."""
    epoch = leave_out_the_other(world, ledger)
    with reverts("EpochSettlementClosed", epoch):
        ledger.publish(ledger.statement(epoch, "other_node", {"curator": 70}), "other_node")


def test_stated_money_does_not_roll_over(world: World, ledger: Ledger) -> None:
    """SPEC 7.29: what was stated is committed and cannot move."""
    epoch = leave_out_the_other(world, ledger)
    with reverts("EpochSettlementAlreadyStated", epoch, world.address("node")):
        world.send(world.settlement.functions.rollover(epoch), "node")


def test_an_open_epoch_does_not_roll_over(world: World, ledger: Ledger) -> None:
    epoch = ledger.earn("other_node", 70)
    for later in (0, 1, 5):
        world.pass_to(ledger.end_of(epoch + later))
        with reverts("EpochSettlementStillOpen", epoch):
            world.send(world.settlement.functions.rollover(epoch), "other_node")


def test_an_epoch_passed_by_before_anyone_stated_it_rolls_over(world: World, ledger: Ledger) -> None:
    """SPEC 7.29: an unstated epoch before a stated one is closed, and its money is not stuck."""
    missed = ledger.earn("other_node", 70)
    world.pass_to(ledger.end_of(missed))
    epoch = ledger.earn("node", 50)
    world.pass_to(ledger.end_of(epoch))
    ledger.publish(ledger.statement(epoch, "node", {"contributor": 50}), "node")
    with reverts("EpochSettlementClosed", missed):
        ledger.publish(ledger.statement(missed, "other_node", {"curator": 70}), "other_node")
    world.send(world.settlement.functions.rollover(missed), "other_node")
    assert funded(world, ledger.epoch, "other_node") == 70
