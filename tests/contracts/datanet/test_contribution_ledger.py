"""Contributions: offered by anyone, decided once by a curator."""

import pytest

from tests.contracts.datanet.test_datanet_registry import CID, ROOT, create
from tests.contracts.world import World, reverts


def ledger_of(world: World):  # type: ignore[no-untyped-def]
    return world.contract("ContributionLedger")


def submit(world: World, datanet: int, contributor: str, rows: int = 3, root: bytes = ROOT) -> int:
    call = ledger_of(world).functions.submit(datanet, root, rows, CID)
    (event,) = world.events(world.send(call, contributor), ledger_of(world), "ContributionSubmitted")
    return int(event["id"])


def decide(world: World, contribution: int, accepted: int, rejected: int, sender: str = "curator") -> None:
    world.send(ledger_of(world).functions.decide(contribution, accepted, rejected, CID), sender)


def test_anyone_offers_rows_and_a_curator_decides(world: World) -> None:
    """SPEC 1.24: a contribution is decided once, every row accepted or rejected."""
    contribution = submit(world, create(world, "curator"), "contributor")
    decide(world, contribution, 2, 1)
    found = ledger_of(world).functions.getContribution(contribution).call()
    assert found[:2] == (1, world.address("contributor"))
    assert found[3] == 2 and found[4] == world.address("curator")
    assert found[6:9] == (3, 2, 1)


@pytest.mark.parametrize(("accepted", "rejected"), [(3, 1), (1, 1), (0, 0), (2**32 - 1, 2**32 - 1)])
def test_every_row_is_accepted_or_rejected(world: World, accepted: int, rejected: int) -> None:
    """SPEC 1.24: accepted + rejected rows make the batch."""
    contribution = submit(world, create(world, "curator"), "contributor")
    with reverts("ContributionLedgerRowsDoNotSum", accepted, rejected, 3):
        decide(world, contribution, accepted, rejected)


def test_a_decision_is_final(world: World) -> None:
    """SPEC 1.24: a contribution is decided once."""
    contribution = submit(world, create(world, "curator"), "contributor")
    decide(world, contribution, 2, 1)
    with reverts("ContributionLedgerAlreadyDecided", contribution, world.now):
        decide(world, contribution, 3, 0)


def test_only_the_datanets_curators_decide(world: World) -> None:
    """SPEC 1.21: another Datanet's curator is a stranger, and so is the contributor."""
    datanet = create(world, "curator")
    create(world, "stranger")
    contribution = submit(world, datanet, "contributor")
    for sender in ("stranger", "contributor"):
        with reverts("ContributionLedgerNotCurator", datanet, world.address(sender)):
            decide(world, contribution, 3, 0, sender)


def test_empty_and_unaddressed_batches_are_refused(world: World) -> None:
    datanet = create(world, "curator")
    with reverts("ContributionLedgerEmptyBatch", ROOT, 0):
        submit(world, datanet, "contributor", rows=0)
    with reverts("ContributionLedgerEmptyBatch", bytes(32), 3):
        submit(world, datanet, "contributor", root=bytes(32))
    with reverts("DatanetRegistryUnknownDatanet", datanet + 1):
        submit(world, datanet + 1, "contributor")
    with reverts("ContributionLedgerUnknown", 9):
        decide(world, 9, 3, 0)
    with reverts("ContributionLedgerUnknown", 9):
        world.call(ledger_of(world).functions.getContribution(9))
