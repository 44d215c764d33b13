"""Statements: a node says who earns what its channels moved in an epoch."""

import pytest

from tests.contracts.epochs import CID, Ledger
from tests.contracts.world import BIRTH, World, reverts


def test_epochs_are_counted_from_genesis_in_half_open_windows(world: World) -> None:
    """SPEC 7.20: the current epoch is floor((now - genesis) / length)."""
    current = world.settlement.functions.currentEpoch()
    assert current.call() == 0
    for time, epoch in ((BIRTH + 99, 0), (BIRTH + 100, 1), (BIRTH + 101, 1), (BIRTH + 250, 2)):
        world.pass_to(time)
        assert current.call() == epoch


def test_a_statement_tells_who_earns_the_funds_of_an_epoch(world: World, ledger: Ledger) -> None:
    epoch = ledger.earn("node", 50)
    world.pass_to(ledger.end_of(epoch))
    statement = ledger.statement(epoch, "node", {"contributor": 20, "model_owner": 30})
    mined = ledger.publish(statement, "node")
    (event,) = world.events(mined, world.settlement, "StatementPublished")
    assert (event["epoch"], event["node"], event["total"], event["cid"]) == (
        epoch,
        world.address("node"),
        50,
        CID,
    )
    assert world.settlement.functions.statedTotal(epoch).call() == 50


@pytest.mark.parametrize("total", [0, 49, 51, 2**128])
def test_a_statement_states_exactly_what_was_funded(world: World, ledger: Ledger, total: int) -> None:
    """SPEC 7.21: a statement's total is what the channels moved in the node's name, to the wei."""
    epoch = ledger.earn("node", 50)
    world.pass_to(ledger.end_of(epoch))
    statement = ledger.statement(epoch, "node", {"contributor": 50})
    with reverts("EpochSettlementStatementTotal", epoch, world.address("node"), total, 50):
        ledger.publish(statement, "node", total=total)


def test_an_epoch_must_be_over(world: World, ledger: Ledger) -> None:
    """SPEC 7.22: a statement comes once, after its epoch, from the node or its signer."""
    epoch = ledger.earn("node", 50)
    statement = ledger.statement(epoch, "node", {"contributor": 50})
    with reverts("EpochSettlementEpochNotOver", epoch, epoch):
        ledger.publish(statement, "node")
    world.pass_to(ledger.end_of(epoch) - 2)
    with reverts("EpochSettlementEpochNotOver", epoch, epoch):
        ledger.publish(statement, "node")
    ledger.publish(statement, "node")  # the next block is the first of the next epoch


def test_a_node_states_an_epoch_once(world: World, ledger: Ledger) -> None:
    """SPEC 7.22: a statement comes once, after its epoch, from the node or its signer."""
    epoch = ledger.earn("node", 50)
    world.pass_to(ledger.end_of(epoch))
    statement = ledger.statement(epoch, "node", {"contributor": 50})
    ledger.publish(statement, "node")
    with reverts("EpochSettlementAlreadyStated", epoch, world.address("node")):
        ledger.publish(statement, "node")


def test_the_nodes_signer_states_for_it(world: World, ledger: Ledger) -> None:
    """SPEC 7.22: a statement comes once, after its epoch, from the node or its signer."""
    world.authorize("node", "hot_signer")
    epoch = ledger.earn("node", 50)
    world.pass_to(ledger.end_of(epoch))
    ledger.publish(ledger.statement(epoch, "node", {"contributor": 50}), "hot_signer")
    assert world.settlement.functions.getStatement(epoch, world.address("node")).call()[2] == 50


def test_who_was_not_funded_has_nothing_to_state(world: World, ledger: Ledger) -> None:
    epoch = ledger.earn("node", 50)
    world.pass_to(ledger.end_of(epoch))
    with reverts("EpochSettlementNothingFunded", epoch, world.address("other_node")):
        ledger.publish(ledger.statement(epoch, "other_node", {"contributor": 50}), "other_node")


def test_only_the_channels_fund(world: World) -> None:
    with reverts("EpochSettlementNotChannels", world.address("stranger")):
        world.send(world.settlement.functions.fund(world.address("stranger"), 5), "stranger")


def test_a_statement_names_its_bytes(world: World, ledger: Ledger) -> None:
    epoch = ledger.earn("node", 50)
    world.pass_to(ledger.end_of(epoch))
    statement = ledger.statement(epoch, "node", {"contributor": 50})
    with reverts("BoundedBytesEmpty"):
        ledger.publish(statement, "node", cid=b"")
    with reverts("BoundedBytesTooLong", 97, 96):
        ledger.publish(statement, "node", cid=b"\x01" * 97)
