"""Decisions: by whom, about what, at which risk."""

import pytest

from tests.contracts.datanets import (
    CID,
    CURATOR_STAKE,
    DECIDED,
    contribution_of,
    create,
    decide,
    ledger_of,
    parameter,
    registry,
    spam,
    submit,
    tune,
)
from tests.contracts.world import World, reverts


def test_a_curator_decides(world: World, datanet: int) -> None:
    """SPEC 1.24: a contribution is decided once, every row accepted or rejected, for published reasons."""
    contribution = submit(world, datanet, "contributor")
    mined = decide(world, contribution, 2, 1)
    found = contribution_of(world, contribution)
    assert (found["status"], found["accepted"], found["rejected"], found["spam"]) == (DECIDED, 2, 1, False)
    assert (found["curator"], found["decidedAt"], found["reasonsCid"]) == (
        world.address("curator"),
        mined.time,
        CID,
    )
    assert found["deadline"] == mined.time + parameter(world, "appealWindow")
    (event,) = world.events(mined, ledger_of(world), "ContributionDecided")
    assert event == {
        "id": contribution,
        "curator": world.address("curator"),
        "accepted": 2,
        "rejected": 1,
        "spam": False,
        "reasonsCid": CID,
    }
    with reverts("ContributionLedgerAlreadyDecided", contribution, mined.time):
        decide(world, contribution, 3, 0)
    with reverts("ContributionLedgerAlreadyDecided", contribution, mined.time):
        spam(world, contribution)


@pytest.mark.parametrize(("accepted", "rejected"), [(3, 1), (1, 1), (0, 0), (2**32 - 1, 2**32 - 1)])
def test_every_row_is_accepted_or_rejected(world: World, datanet: int, accepted: int, rejected: int) -> None:
    """SPEC 1.24: accepted + rejected rows make the batch."""
    contribution = submit(world, datanet, "contributor")
    with reverts("ContributionLedgerRowsDoNotSum", accepted, rejected, 3):
        decide(world, contribution, accepted, rejected)


def test_only_the_datanets_curators_decide(world: World, datanet: int) -> None:
    """SPEC 1.21: another Datanet's curator is a stranger, and so is the contributor."""
    create(world, "stranger")
    contribution = submit(world, datanet, "contributor")
    for sender in ("stranger", "contributor"):
        for refused in (
            lambda s=sender: decide(world, contribution, 3, 0, s),
            lambda s=sender: spam(world, contribution, s),
        ):
            with reverts("ContributionLedgerNotCurator", datanet, world.address(sender)):
                refused()
    with reverts("ContributionLedgerUnknown", 9):
        decide(world, 9, 3, 0)


def test_deciding_takes_a_stake_of_ones_own(world: World, datanet: int) -> None:
    """SPEC 1.67: at least minCuratorStake, to the wei; what others staked on the curator does not count."""
    world.send(
        registry(world).functions.setCurator(datanet, world.address("challenger"), True), "model_owner"
    )
    contribution = submit(world, datanet, "contributor")
    world.stake("challenger", CURATOR_STAKE, staker="staker")
    with reverts("ContributionLedgerStakeTooLow", world.address("challenger"), 0, CURATOR_STAKE):
        decide(world, contribution, 3, 0, "challenger")
    world.stake("challenger", CURATOR_STAKE - 1)
    with reverts(
        "ContributionLedgerStakeTooLow", world.address("challenger"), CURATOR_STAKE - 1, CURATOR_STAKE
    ):
        decide(world, contribution, 3, 0, "challenger")
    world.stake("challenger", CURATOR_STAKE + 1)
    decide(world, contribution, 3, 0, "challenger")


def test_rows_decided_are_counted_for_each_curator(world: World, datanet: int) -> None:
    """SPEC 1.78: the ledger knows how many rows each curator decided in each Datanet."""
    for sender in ("curator", "curator", "node"):
        decide(world, submit(world, datanet, "contributor"), 1, 2, sender)
    counted = ledger_of(world).functions.rowsDecided
    assert [counted(datanet, world.address(name)).call() for name in ("curator", "node", "stranger")] == [
        6,
        3,
        0,
    ]


def test_what_a_decision_risks_is_fixed_with_it(tuned: World, datanet: int) -> None:
    """SPEC 1.72: jurorSlashPpm of minCuratorStake, rounded down, as they were when the decision was made."""
    first, second = (submit(tuned, datanet, "contributor") for _ in range(2))
    decide(tuned, first, 3, 0)
    tune(tuned, "minCuratorStake", 10**6 + 1)
    tune(tuned, "jurorSlashPpm", 99_999)
    decide(tuned, second, 3, 0)
    assert contribution_of(tuned, first)["atRisk"] == CURATOR_STAKE // 100
    assert contribution_of(tuned, second)["atRisk"] == 99_999
