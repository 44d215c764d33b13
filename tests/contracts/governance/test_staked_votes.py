"""Staked OPEN votes through its node, or through its staker where the staker says so; never through both."""

from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scripts.deployment_plan import OPEN
from tests.contracts.governance.voting import ABSTAIN, AGAINST, FOR, Vote
from tests.contracts.world import World, reverts, rewound

OWN, PART, OTHER_PART = 700 * OPEN, 200 * OPEN, 55 * OPEN
NODES, STAKERS = ("node", "other_node"), ("staker", "other_staker")


@pytest.fixture
def staked(world: World) -> World:
    """Two nodes with a stake of their own; one staker stands behind both, another behind the first."""
    for node in NODES:
        world.stake(node, OWN)
        world.stake(node, PART, "staker")
    world.stake("node", OTHER_PART, "other_staker")
    world.send(world.token.functions.delegate(world.address("deployer")), "deployer")
    world.pass_to(world.now + 1)
    return world


@pytest.fixture
def vote(staked: World) -> Vote:
    opened = Vote(staked, staked.token, "approve", [staked.address("payer"), 1])
    staked.pass_to(opened.start + 1)
    return opened


def override(vote: Vote, staker: str, support: int, node: str = "node", at: int | None = None) -> int:
    """Votes the staker's own part; returns its weight."""
    power = vote.world.contract("VotingPower")
    call = power.functions.castOverrideVote(vote.id, vote.world.address(node), support, "my own mind")
    (event,) = vote.world.events(vote.world.send(call, staker, at), power, "OverrideVoteCast")
    return int(event["weight"])


def tally(vote: Vote) -> list[int]:
    return list(vote.governor.functions.proposalVotes(vote.id).call())


def test_a_node_votes_with_all_that_is_staked_on_it(vote: Vote) -> None:
    """SPEC 9.62"""
    vote.cast("node", FOR)
    assert tally(vote) == [0, OWN + PART + OTHER_PART, 0]
    assert vote.governor.functions.hasVoted(vote.id, vote.world.address("node")).call()


def test_a_staker_alone_has_no_vote_but_its_part(vote: Vote) -> None:
    """SPEC 9.62: stake votes where it stands, not in the wallet that it came from."""
    vote.cast("staker", FOR)
    assert tally(vote) == [0, 0, 0]
    assert override(vote, "staker", FOR) == PART
    assert tally(vote) == [0, PART, 0]


@pytest.mark.parametrize("node_first", [True, False])
def test_an_override_moves_exactly_its_part(vote: Vote, node_first: bool) -> None:
    """SPEC 9.63: before or after the node's vote, the outcome is the same."""
    if node_first:
        vote.cast("node", FOR)
    assert override(vote, "staker", AGAINST) == PART
    if not node_first:
        vote.cast("node", FOR)
    assert override(vote, "other_staker", ABSTAIN) == OTHER_PART
    assert tally(vote) == [PART, OWN, OTHER_PART]
    power = vote.world.contract("VotingPower").functions
    assert power.overriddenOf(vote.id, vote.world.address("node")).call() == PART + OTHER_PART


def test_each_node_is_overridden_by_itself(vote: Vote) -> None:
    """SPEC 9.63: who stands behind several nodes overrides each of them for the part there."""
    vote.cast("node", FOR)
    override(vote, "staker", AGAINST, "node")
    override(vote, "staker", ABSTAIN, "other_node")
    vote.cast("other_node", FOR)
    assert tally(vote) == [PART, 2 * OWN + OTHER_PART, PART]
    with reverts("VotingPowerAlreadyOverridden", vote.id, *map(vote.world.address, ("staker", "node"))):
        override(vote, "staker", FOR, "node")


def test_stake_that_came_after_the_snapshot_does_not_vote(vote: Vote) -> None:
    """SPEC 9.62: weights are those of the proposal's snapshot; later stakes and exits change nothing."""
    world = vote.world
    world.stake("node", 5 * OWN)
    world.stake("node", OPEN, "curator")
    shares = world.staking.functions.sharesOf(world.address("node"), world.address("staker")).call()
    world.send(world.staking.functions.unbond(world.address("node"), shares), "staker")
    node, curator = world.address("node"), world.address("curator")
    with reverts("VotingPowerNothingStaked", curator, node, vote.start):
        override(vote, "curator", FOR)
    vote.cast("node", FOR)
    assert override(vote, "staker", AGAINST) == PART
    assert tally(vote) == [PART, OWN + OTHER_PART, 0]


def test_votes_are_cast_once_and_while_the_vote_runs(vote: Vote, staked: World) -> None:
    """SPEC 9.63: each vote and each override once, of a known kind, in the voting period."""
    vote.cast("node", FOR)
    with reverts("VotingPowerAlreadyVoted", vote.id, staked.address("node")):
        vote.cast("node", AGAINST)
    for action in (lambda: override(vote, "staker", 3), lambda: vote.cast("deployer", 3)):
        with reverts("VotingPowerUnknownSupport", 3):
            action()
    later = Vote(staked, staked.token, "approve", [staked.address("payer"), 2])
    with reverts("VotingPowerNotActive", later.id, 0):
        override(later, "staker", FOR)
    vote.close()
    with reverts("VotingPowerNotActive"):
        override(vote, "staker", FOR)


def test_an_override_that_makes_the_quorum_late_extends_the_vote(world: World) -> None:
    """SPEC 9.65"""
    world.stake("node", 41_000_000 * OPEN, "staker")
    world.send(world.token.functions.delegate(world.address("deployer")), "deployer")
    world.pass_to(world.now + 1)
    vote = Vote(world, world.token, "approve", [world.address("payer"), 1])
    world.pass_to(vote.end - 1)
    override(vote, "staker", FOR, at=vote.end)
    assert vote.governor.functions.proposalDeadline(vote.id).call() > vote.end
    vote.close()
    assert vote.governor.functions.state(vote.id).call() == 4


MOVES = st.tuples(st.sampled_from(("vote", *STAKERS)), st.sampled_from(NODES), st.integers(0, 2))


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(moves=st.lists(MOVES, min_size=1, max_size=8, unique_by=lambda move: move[:2]))
def test_in_any_order_each_wei_counts_once(vote: Vote, moves: Sequence[tuple[str, str, int]]) -> None:
    """SPEC 9.64: node then staker, staker then node, several nodes: as if each part had voted by itself."""
    parts = {("staker", "node"): PART, ("staker", "other_node"): PART, ("other_staker", "node"): OTHER_PART}
    expected = [0, 0, 0]
    own = {(who, node): support for who, node, support in moves if (who, node) in parts}
    for who, node, support in moves:
        if who == "vote":
            mine = sum(w for pair, w in parts.items() if pair[1] == node and pair not in own)
            expected[support] += OWN + mine
    for pair, support in own.items():
        expected[support] += parts[pair]
    with rewound(vote.world):
        for who, node, support in moves:
            if who == "vote":
                vote.cast(node, support)
            elif (who, node) in parts:
                override(vote, who, support, node)
        assert tally(vote) == expected
    assert sum(expected) <= 2 * (OWN + PART) + OTHER_PART
