"""A vote from proposal to effect, and everything that may not go around it."""

import pytest

from node.chain.keccak import keccak
from protocol.attribution import Lane
from protocol.parameters import DEFAULTS
from scripts.deployment_plan import OPEN
from tests.contracts.governance.voting import AGAINST, FOR, Vote
from tests.contracts.world import World, reverts

NEW_SPLIT = (50_000, 50_000, 150_000, 100_000, 100_000, 550_000)
QUORUM = 40_000_000 * OPEN


@pytest.fixture
def voters(world: World) -> World:
    """The deployer holds nearly all votes; the curator exactly a quorum's worth less one wei."""
    world.send(world.token.functions.transfer(world.address("curator"), QUORUM - 1), "deployer")
    for holder in ("deployer", "curator"):
        world.send(world.token.functions.delegate(world.address(holder)), holder)
    world.pass_to(world.now + 1)
    return world


def test_a_passed_vote_changes_the_split_after_the_delay(voters: World) -> None:
    """SPEC 9.25: propose, vote, queue, wait, execute; the old version is still known."""
    vote = Vote(voters, voters.parameters, "setSplit", [NEW_SPLIT])
    vote.cast()
    vote.close()
    vote.queue()
    vote.execute(at=vote.eta)
    assert voters.parameters.functions.version().call() == 2
    assert tuple(voters.parameters.functions.splitAt(2).call()) == NEW_SPLIT
    assert tuple(voters.parameters.functions.splitAt(1).call()) == DEFAULTS.split.parts


def test_nothing_happens_before_the_delay_is_over(voters: World) -> None:
    """SPEC 9.25: a queued proposal waits out the timelock."""
    vote = Vote(voters, voters.parameters, "setSplit", [NEW_SPLIT])
    vote.cast()
    with reverts("GovernorUnexpectedProposalState"):
        vote.queue()
    vote.close()
    with reverts("GovernorUnexpectedProposalState"):
        vote.execute()
    vote.queue()
    with reverts("TimelockUnexpectedOperationState"):
        vote.execute(at=vote.eta - 1)
    assert voters.parameters.functions.version().call() == 1


def test_without_a_quorum_of_the_whole_supply_nothing_passes(voters: World) -> None:
    """SPEC 9.26: a proposal needs 4 % of the whole supply, and more votes for than against."""
    vote = Vote(voters, voters.parameters, "setSplit", [NEW_SPLIT])
    vote.cast("curator")
    vote.close()
    with reverts("GovernorUnexpectedProposalState"):
        vote.queue()


def test_a_majority_against_stops_it(voters: World) -> None:
    """SPEC 9.26: a proposal needs 4 % of the whole supply, and more votes for than against."""
    vote = Vote(voters, voters.parameters, "setSplit", [NEW_SPLIT])
    vote.cast("curator", FOR)
    vote.cast("deployer", AGAINST)
    vote.close()
    with reverts("GovernorUnexpectedProposalState"):
        vote.queue()


def test_a_passed_vote_cannot_leave_the_bounds(voters: World) -> None:
    """SPEC 9.22: not even a vote sets a parameter outside its bounds."""
    key = keccak(b"maxBatch")
    vote = Vote(voters, voters.parameters, "setValue", [key, 1_025])
    vote.cast()
    vote.close()
    vote.queue()
    with reverts("ProtocolParametersOutOfBounds", key, 1_025, 1, 1_024):
        vote.execute(at=vote.eta)


def test_a_vote_moves_the_lane_weights_together(voters: World) -> None:
    """SPEC 9.23: gradient and span weights change together, in one call of one vote."""
    keys = [keccak(b"gradientWeight"), keccak(b"spanWeight")]
    vote = Vote(voters, voters.parameters, "setValues", [keys, [900_000, 100_000]])
    vote.cast()
    vote.close()
    vote.queue()
    vote.execute(at=vote.eta)
    values = voters.parameters.functions
    assert [values.valueAt(key, 2).call() for key in keys] == [900_000, 100_000]
    before = [DEFAULTS.lane_weights[Lane.GRADIENT], DEFAULTS.lane_weights[Lane.SPAN]]
    assert [values.valueAt(key, 1).call() for key in keys] == before


def test_a_late_quorum_extends_the_vote(voters: World) -> None:
    """SPEC 9.27: a quorum reached in the last moment leaves time to answer."""
    vote = Vote(voters, voters.parameters, "setSplit", [NEW_SPLIT])
    voters.pass_to(vote.end - 1)
    vote.cast()
    assert vote.governor.functions.proposalDeadline(vote.id).call() > vote.end


def test_the_treasury_is_spent_by_vote_only(voters: World) -> None:
    """SPEC 9.28: the default treasury is the timelock, from which only a passed vote pays."""
    timelock = voters.record["contracts"]["OpenTimelock"]
    assert voters.parameters.functions.treasury().call().lower() == timelock
    voters.send(voters.token.functions.transfer(voters.checksum(timelock), 70), "deployer")
    vote = Vote(voters, voters.token, "transfer", [voters.address("contributor"), 30])
    vote.cast()
    vote.close()
    vote.queue()
    vote.execute(at=vote.eta)
    assert (voters.balance("contributor"), voters.balance(timelock)) == (30, 40)
