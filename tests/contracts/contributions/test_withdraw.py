"""Taking an undecided offer back."""

from tests.contracts.datanets import DECIDED, WITHDRAWN, bond_of, contribution_of, decide, ledger_of, submit
from tests.contracts.world import World, reverts


def test_an_offer_nobody_decided_is_taken_back_after_its_wait(world: World, datanet: int) -> None:
    """SPEC 1.66: from the deadline on, to the second, by the contributor alone, with the bond."""
    contribution = submit(world, datanet, "contributor")
    deadline = contribution_of(world, contribution)["deadline"]
    call = ledger_of(world).functions.withdraw(contribution)
    with reverts("ContributionLedgerTooEarly", contribution, deadline):
        world.send(call, "contributor", at=deadline - 1)
    with reverts(
        "ContributionLedgerNotContributor",
        contribution,
        world.address("curator"),
        world.address("contributor"),
    ):
        world.call(call, "curator")
    world.send(call, "contributor", at=deadline)
    found = contribution_of(world, contribution)
    assert (found["status"], found["held"]) == (WITHDRAWN, False)
    assert world.balance("contributor") == bond_of(world) and world.balance(ledger_of(world).address) == 0
    with reverts("ContributionLedgerWrongStatus", contribution, WITHDRAWN):
        world.send(call, "contributor")
    with reverts("ContributionLedgerAlreadyDecided", contribution, 0):
        decide(world, contribution, 3, 0)


def test_a_decided_offer_is_not_taken_back(world: World, datanet: int) -> None:
    """SPEC 1.66: a late decision is still a decision, and ends the right to withdraw."""
    contribution = submit(world, datanet, "contributor")
    world.pass_to(contribution_of(world, contribution)["deadline"] + 5)
    decide(world, contribution, 3, 0)
    with reverts("ContributionLedgerWrongStatus", contribution, DECIDED):
        world.send(ledger_of(world).functions.withdraw(contribution), "contributor")
