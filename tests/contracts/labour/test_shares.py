"""Review records, and the labour shares of versions."""

import pytest

from protocol.labour import LabourKind
from tests.contracts.datanets import (
    CID,
    ROOT,
    ROWS_ROOT,
    accept,
    create,
    decide,
    labour_of,
    labour_record,
    registry,
    submit,
)
from tests.contracts.world import Mined, World, reverts


def publish_with(
    world: World, datanet: int, ids: list[int], ppm: list[int], sender: str = "curator"
) -> Mined:
    call = registry(world).functions.publishVersionWithLabour(datanet, 0, ROOT, ROWS_ROOT, 4, CID, ids, ppm)
    return world.send(call, sender)


def test_a_curators_reviews_are_labour_without_a_signature(world: World, datanet: int) -> None:
    """SPEC 1.78: one record for each Datanet and curator who decided rows, made by anyone who asks."""
    record = labour_of(world).functions.recordReview(datanet, world.address("curator"))
    with reverts("LabourLedgerNothingDecided", datanet, world.address("curator")):
        world.send(record, "stranger")
    decide(world, submit(world, datanet, "contributor"), 2, 1)
    world.send(record, "stranger")
    world.send(record, "stranger")
    read = labour_of(world).functions
    assert read.reviewId(datanet, world.address("curator")).call() == 1 == read.labourCount().call()
    found = read.getLabour(1).call()
    assert found[:2] == (datanet, world.address("curator")) and found[3] == LabourKind.REVIEW


def test_shares_are_fixed_with_the_version(world: World, datanet: int) -> None:
    """SPEC 1.79: in the transaction that publishes it, and never again."""
    first, second = (
        accept(world, labour_record(world, datanet)),
        accept(world, labour_record(world, datanet, "staker"), "staker"),
    )
    mined = publish_with(world, datanet, [first, second], [400_000, 600_000])
    read = labour_of(world).functions.sharesOf
    assert read(datanet, 1).call() == [[first, second], [400_000, 600_000]]
    assert read(datanet, 2).call() == [[], []]
    (event,) = world.events(mined, labour_of(world), "SharesFixed")
    assert (event["version"], event["ids"]) == (1, [first, second])
    for sender in ("curator", "stranger"):
        with reverts("LabourLedgerNotRegistry", world.address(sender)):
            world.send(labour_of(world).functions.fixShares(datanet, 1, [first], [1_000_000]), sender)
    with reverts("DatanetRegistryNotCurator", datanet, world.address("stranger")):
        publish_with(world, datanet, [first], [1_000_000], "stranger")


@pytest.mark.parametrize(
    ("ids", "ppm", "error", "values"),
    [
        ([1, 2], [400_000, 600_001], "LabourLedgerSharesDoNotSum", (1_000_001,)),
        ([1], [999_999], "LabourLedgerSharesDoNotSum", (999_999,)),
        ([], [], "LabourLedgerSharesDoNotSum", (0,)),
        ([2, 1], [500_000, 500_000], "LabourLedgerNotAscending", (2, 1)),
        ([1, 1], [500_000, 500_000], "LabourLedgerNotAscending", (1, 1)),
        ([0], [1_000_000], "LabourLedgerNotAscending", (0, 0)),
        ([1, 2], [1_000_000, 0], "LabourLedgerZeroShare", (2,)),
        ([1, 2], [1_000_000], "LabourLedgerListMismatch", (2, 1)),
        ([3], [1_000_000], "LabourLedgerOtherDatanet", (3, 2, 1)),
        ([9], [1_000_000], "LabourLedgerUnknown", (9,)),
        (list(range(1, 66)), [1] * 65, "LabourLedgerTooMany", (65, 64)),
    ],
)
def test_a_version_with_wrong_shares_is_not_published(
    world: World, datanet: int, ids: list[int], ppm: list[int], error: str, values: tuple[int, ...]
) -> None:
    """SPEC 1.79: accepted records of the Datanet, ascending, at most 64, none of 0, 1,000,000 ppm in all."""
    other = create(world, "curator")
    accept(world, labour_record(world, datanet))
    accept(world, labour_record(world, datanet, "staker"), "staker")
    accept(world, labour_record(world, other))
    with reverts(error, *values):
        publish_with(world, datanet, ids, ppm)
    with reverts("DatanetRegistryUnknownVersion", datanet, 1):
        world.call(registry(world).functions.getVersion(datanet, 1))
