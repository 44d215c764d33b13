"""Consent: withdrawn by whoever gave it, granted again only forward in time."""

from tests.contracts.datanets import DIGESTS, decide, ledger_of, membership, revoke, spam, submit
from tests.contracts.world import World, reverts

DIGEST = DIGESTS[1]


def accepted(world: World, datanet: int, sender: str = "contributor") -> int:
    contribution = submit(world, datanet, sender)
    decide(world, contribution, 1, 2)
    return contribution


def test_a_contributor_revokes_a_row(world: World, datanet: int) -> None:
    """SPEC 1.75: and no other row of the batch, nor the same row elsewhere."""
    contribution = accepted(world, datanet)
    mined = revoke(world, contribution, "contributor")
    ledger = ledger_of(world).functions
    assert ledger.revokedAt(datanet, DIGEST).call() == mined.time
    assert ledger.revokedBy(datanet, DIGEST).call() == contribution
    assert ledger.revokedAt(datanet, DIGESTS[0]).call() == 0 == ledger.revokedAt(datanet + 1, DIGEST).call()
    (event,) = world.events(mined, ledger_of(world), "ConsentRevoked")
    assert event == {"datanetId": datanet, "digest": DIGEST, "contributionId": contribution}
    with reverts("ContributionLedgerAlreadyRevoked", datanet, DIGEST, mined.time):
        revoke(world, contribution, "contributor")


def test_only_what_is_ones_own_and_was_accepted_is_revoked(world: World, datanet: int) -> None:
    """SPEC 1.75: not another's row, none of an undecided, rejected or spam batch, none by a false proof."""
    contribution = submit(world, datanet, "contributor")
    with reverts("ContributionLedgerNothingAccepted", contribution):
        revoke(world, contribution, "contributor")
    spam(world, contribution)
    with reverts("ContributionLedgerNothingAccepted", contribution):
        revoke(world, contribution, "contributor")
    mine = accepted(world, datanet)
    row = membership(world, mine, "contributor", DIGEST)
    with reverts(
        "ContributionLedgerNotContributor", mine, world.address("stranger"), world.address("contributor")
    ):
        world.send(ledger_of(world).functions.revoke(DIGEST, row), "stranger")
    with reverts("ContributionLedgerBadProof", mine, DIGESTS[2]):
        world.send(ledger_of(world).functions.revoke(DIGESTS[2], row), "contributor")


def test_consent_granted_again_does_not_change_the_past(world: World, datanet: int) -> None:
    """SPEC 1.76: revoked from each revocation, to the second, until the grant that follows it."""
    contribution = accepted(world, datanet)
    ledger = ledger_of(world).functions
    with reverts("ContributionLedgerNotRevoked", datanet, DIGEST):
        world.send(ledger.grant(datanet, DIGEST), "contributor")
    first = revoke(world, contribution, "contributor").time
    with reverts("ContributionLedgerNotContributor"):
        world.send(ledger.grant(datanet, DIGEST), "curator")
    world.pass_to(first + 10)
    granted = world.send(ledger.grant(datanet, DIGEST), "contributor").time
    assert ledger.revokedAt(datanet, DIGEST).call() == 0
    again = revoke(world, contribution, "contributor").time
    assert ledger.revokedAt(datanet, DIGEST).call() == again
    times = (0, first - 1, first, granted - 1, granted, again - 1, again, again + 1)
    known = [ledger.wasRevoked(datanet, DIGEST, time).call() for time in times]
    assert known == [False, False, True, True, False, again == granted, True, True]


def test_the_earlier_contribution_of_a_row_takes_its_revocation_over(world: World, datanet: int) -> None:
    """SPEC 1.75: then only its contributor grants again, and the row stays revoked since the first time."""
    first, second = accepted(world, datanet), accepted(world, datanet, "staker")
    since = revoke(world, second, "staker").time
    revoke(world, first, "contributor")
    ledger = ledger_of(world).functions
    assert ledger.revokedBy(datanet, DIGEST).call() == first
    assert ledger.revokedAt(datanet, DIGEST).call() == since
    with reverts(
        "ContributionLedgerNotContributor", first, world.address("staker"), world.address("contributor")
    ):
        world.send(ledger.grant(datanet, DIGEST), "staker")
    with reverts("ContributionLedgerAlreadyRevoked", datanet, DIGEST, since):
        revoke(world, second, "staker")
    world.send(ledger.grant(datanet, DIGEST), "contributor")
    assert ledger.revokedAt(datanet, DIGEST).call() == 0
