"""Closing a decided contribution."""

import pytest

from tests.contracts.datanets import (
    SETTLED,
    SUBMITTED,
    appeal,
    bond_of,
    contribution_of,
    decide,
    ledger_of,
    spam,
    submit,
)
from tests.contracts.world import World, reverts


@pytest.mark.parametrize("is_spam", [False, True])
def test_a_decision_closes_from_its_deadline_on(world: World, datanet: int, is_spam: bool) -> None:
    """SPEC 1.68: by anyone; the bond goes back, or is burnt if the verdict was spam."""
    contribution = submit(world, datanet, "contributor")
    call = ledger_of(world).functions.settle(contribution)
    with reverts("ContributionLedgerWrongStatus", contribution, SUBMITTED):
        world.send(call, "stranger")
    if is_spam:
        spam(world, contribution)
    else:
        decide(world, contribution, 0, 3)
    deadline = contribution_of(world, contribution)["deadline"]
    with reverts("ContributionLedgerTooEarly", contribution, deadline):
        world.send(call, "stranger", at=deadline - 1)
    supply = world.token.functions.totalSupply().call()
    world.send(call, "stranger", at=deadline)
    bond = bond_of(world)
    assert world.balance("contributor") == (0 if is_spam else bond)
    assert supply - world.token.functions.totalSupply().call() == (bond if is_spam else 0)
    assert contribution_of(world, contribution)["status"] == SETTLED
    with reverts("ContributionLedgerWrongStatus", contribution, SETTLED):
        world.send(call, "stranger")


@pytest.mark.parametrize("is_spam", [False, True])
def test_an_appeal_nobody_ruled_on_ends_by_itself(world: World, datanet: int, is_spam: bool) -> None:
    """SPEC 1.71: from its deadline on, by anyone: the decision stands, the appeal's bond goes back."""
    contribution = submit(world, datanet, "contributor")
    if is_spam:
        spam(world, contribution)
    else:
        decide(world, contribution, 0, 3)
    appeal(world, contribution)
    deadline = contribution_of(world, contribution)["deadline"]
    call = ledger_of(world).functions.settle(contribution)
    with reverts("ContributionLedgerTooEarly", contribution, deadline):
        world.send(call, "stranger", at=deadline - 1)
    world.send(call, "stranger", at=deadline)
    assert world.balance("contributor") == bond_of(world) * (1 if is_spam else 2)
    found = contribution_of(world, contribution)
    assert (found["spam"], found["accepted"], found["curator"]) == (is_spam, 0, world.address("curator"))
    assert world.balance(ledger_of(world).address) == 0
