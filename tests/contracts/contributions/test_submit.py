"""Offers: the bond, the permit, what is refused."""

import pytest

from node.chain.keccak import keccak
from protocol.contribution import batch_root
from tests.contracts.datanets import (
    CID,
    DIGESTS,
    SUBMITTED,
    appeal,
    bond_of,
    contribution_of,
    create,
    decide,
    ledger_of,
    parameter,
    submit,
    tune,
)
from tests.contracts.permit import permit_of
from tests.contracts.world import World, reverts

ROOT = b"\x0a" * 32


def test_an_offer_is_kept_as_it_was_made(world: World, datanet: int) -> None:
    """SPEC 1.64: an offer puts down the bond in force, and says per contribution whether it is gated."""
    contribution = submit(world, datanet, "contributor", gated=True)
    found = contribution_of(world, contribution)
    assert found["datanetId"] == datanet and found["contributor"] == world.address("contributor")
    assert (found["status"], found["gated"], found["held"]) == (SUBMITTED, True, True)
    assert found["batchRoot"] == batch_root(world.plain("contributor"), DIGESTS, keccak)
    assert (found["rowCount"], found["batchCid"], found["submittedAt"]) == (3, CID, world.now)
    assert found["deadline"] == world.now + parameter(world, "appealWindow")
    assert found["bond"] == bond_of(world) == world.balance(ledger_of(world).address)
    assert world.balance("contributor") == 0


def test_without_allowance_or_money_nothing_is_offered(world: World, datanet: int) -> None:
    """SPEC 1.64: no bond, no offer."""
    call = ledger_of(world).functions.submit(datanet, ROOT, 3, CID, False)
    with reverts("ERC20InsufficientAllowance"):
        world.send(call, "contributor")
    world.send(world.token.functions.approve(ledger_of(world).address, bond_of(world)), "contributor")
    with reverts("ERC20InsufficientBalance"):
        world.send(call, "contributor")
    assert ledger_of(world).functions.contributionCount().call() == 0


@pytest.mark.parametrize("used_before", [False, True])
def test_a_permit_stands_for_the_allowance(world: World, datanet: int, used_before: bool) -> None:
    """SPEC 1.64: a permit that somebody else used first is no obstacle."""
    bond, ledger = bond_of(world), ledger_of(world)
    world.send(world.token.functions.transfer(world.address("contributor"), bond), "deployer")
    deadline = world.now + 100
    signature = permit_of(world, "contributor", ledger.address, bond, deadline)
    if used_before:
        permit = world.token.functions.permit(
            world.address("contributor"), ledger.address, bond, deadline, *signature
        )
        world.send(permit, "stranger")
    call = ledger.functions.submitWithPermit(datanet, ROOT, 3, CID, False, deadline, *signature)
    world.send(call, "contributor")
    assert contribution_of(world, 1)["bond"] == bond == world.balance(ledger.address)


def test_no_bond_where_none_is_asked(tuned: World, datanet: int) -> None:
    """SPEC 1.64 and 1.72: a bond of 0 moves nothing; a later change touches no earlier offer."""
    first = submit(tuned, datanet, "contributor")
    bond = bond_of(tuned)
    tune(tuned, "contributionBond", 0)
    tune(tuned, "appealWindow", 77)
    second = submit(tuned, datanet, "contributor")
    assert contribution_of(tuned, first)["bond"] == bond
    assert contribution_of(tuned, second)["bond"] == 0
    assert contribution_of(tuned, second)["deadline"] == tuned.now + 77
    decide(tuned, second, 0, 3)
    appeal(tuned, second)
    assert tuned.balance(ledger_of(tuned).address) == bond


def test_empty_and_unaddressed_batches_are_refused(world: World, datanet: int) -> None:
    """SPEC 1.24: a batch has rows, a root, a CID and a Datanet."""
    with reverts("ContributionLedgerEmptyBatch", ROOT, 0):
        submit(world, datanet, "contributor", rows=0, root=ROOT)
    with reverts("ContributionLedgerEmptyBatch", bytes(32), 3):
        submit(world, datanet, "contributor", root=bytes(32))
    for unknown in (0, datanet + 1, 2**256 - 1):
        with reverts("ContributionLedgerUnknownDatanet", unknown):
            submit(world, unknown, "contributor")
    with reverts("BoundedBytesEmpty"):
        world.send(ledger_of(world).functions.submit(datanet, ROOT, 3, b"", False), "contributor")
    with reverts("ContributionLedgerUnknown", 9):
        world.call(ledger_of(world).functions.getContribution(9))


def test_a_pause_stops_offers_and_nothing_else(world: World, datanet: int) -> None:
    """SPEC 1.63: while the ledger is paused no contribution is offered; decisions, appeals, exits go on."""
    contribution = submit(world, datanet, "contributor")
    world.send(world.contract("Guardian").functions.pause(ledger_of(world).address), "guardian")
    with reverts("ContributionLedgerPaused"):
        submit(world, datanet, "contributor")
    decide(world, contribution, 0, 3)
    appeal(world, contribution)
    world.pass_to(contribution_of(world, contribution)["deadline"])
    world.send(ledger_of(world).functions.settle(contribution), "stranger")
    assert world.balance(ledger_of(world).address) == 0


def test_a_paused_registry_takes_no_datanet_and_no_version(world: World, datanet: int) -> None:
    """SPEC 1.63: while the registry is paused no Datanet is created and no version published."""
    registry = world.contract("DatanetRegistry")
    world.send(world.contract("Guardian").functions.pause(registry.address), "guardian")
    with reverts("DatanetRegistryPaused"):
        create(world, "curator")
    with reverts("DatanetRegistryPaused"):
        world.send(registry.functions.publishVersion(datanet, 0, ROOT, ROOT, 1, CID), "curator")
    with reverts("DatanetRegistryPaused"):
        call = registry.functions.publishVersionWithLabour(datanet, 0, ROOT, ROOT, 1, CID, [], [])
        world.send(call, "curator")
    world.send(registry.functions.setCurator(datanet, world.address("stranger"), True), "model_owner")
