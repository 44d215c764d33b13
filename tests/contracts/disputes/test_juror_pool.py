"""Who may sit, by which weight, and that no one can choose: the pool alone."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from web3.contract import Contract

from node.chain.deployment import load_artifact
from protocol.disputes import WEIGHT_UNIT, seat_at
from scripts.deployment_plan import OPEN, Web3Deployer
from tests.contracts.disputes.court import JUROR_STAKE, JURORS, PERIOD, Court
from tests.contracts.world import World, reverts, rewound

MINIMUM = 100 * OPEN
WEIGHT = JUROR_STAKE // WEIGHT_UNIT


def weight_of(court: Court, actor: str) -> int:
    return int(court.pool.functions.weightOf(court.world.address(actor)).call())


def total(court: Court) -> int:
    return int(court.pool.functions.totalWeight().call())


def unbond(court: Court, actor: str, shares: int) -> None:
    call = court.world.staking.functions.unbond(court.world.address(actor), shares)
    court.world.send(call, actor)


def shares_of(court: Court, actor: str) -> int:
    at = court.world.address(actor)
    return int(court.world.staking.functions.sharesOf(at, at).call())


def test_weight_is_own_stake_from_the_next_period_on(court: Court) -> None:
    """SPEC 7.159: tens of OPEN, rounded down; what others staked on the juror counts for nothing."""
    court.world.stake("payer", 105 * OPEN)
    court.world.stake("payer", 500 * OPEN, staker="challenger")
    before = total(court)
    assert before == WEIGHT * len(JURORS)
    court.enrol("payer")
    assert weight_of(court, "payer") == 10
    assert total(court) == before
    court.pass_period()
    assert total(court) == before + 10


def test_the_minimum_itself_is_enough(court: Court) -> None:
    """SPEC 7.159"""
    court.world.stake("payer", MINIMUM - 1)
    with reverts("JurorPoolStakeTooLow", court.world.address("payer"), MINIMUM - 1, MINIMUM):
        court.enrol("payer")
    court.world.stake("payer", 1)
    court.enrol("payer")
    with reverts("JurorPoolAlreadyEnrolled", court.world.address("payer")):
        court.enrol("payer")


def test_who_leaves_is_out_at_once_and_its_place_is_taken_again(court: Court) -> None:
    """SPEC 7.159: nobody inherits a weight within the period in which it was given up."""
    court.world.stake("payer", JUROR_STAKE)
    before = total(court)
    court.world.send(court.pool.functions.leave(), JURORS[0])
    mined = court.enrol("payer")
    (event,) = court.world.events(mined, court.pool, "JurorEnrolled")
    assert event["seat"] == 0
    assert weight_of(court, JURORS[0]) == 0
    assert total(court) == before
    court.pass_period()
    assert court.pool.functions.jurorAt(0).call() == court.world.address("payer")
    with reverts("JurorPoolNotEnrolled", court.world.address(JURORS[0])):
        court.world.send(court.pool.functions.leave(), JURORS[0])


def test_anyone_brings_a_weight_up_to_date(court: Court) -> None:
    """SPEC 7.159: up, down, and out below the minimum."""
    juror = JURORS[0]
    sync = court.pool.functions.sync(court.world.address(juror))
    court.world.stake(juror, 50 * OPEN)
    court.world.send(sync, "payer")
    assert weight_of(court, juror) == WEIGHT + 5
    unbond(court, juror, shares_of(court, juror) // 2)
    court.world.send(sync, "payer")
    assert weight_of(court, juror) == (JUROR_STAKE + 50 * OPEN) // 2 // WEIGHT_UNIT
    unbond(court, juror, shares_of(court, juror) // 2)
    court.world.send(sync, "payer")
    assert weight_of(court, juror) == 0
    with reverts("JurorPoolNotEnrolled", court.world.address(juror)):
        court.world.send(sync, "payer")


def test_only_the_committee_draws(court: Court) -> None:
    """SPEC 7.159: a draw locks stake."""
    parties = court.world.address("node"), court.world.address("challenger"), 1
    with reverts("JurorPoolNotCommittee", court.world.address("payer")):
        court.world.send(court.pool.functions.draw(b"\x01" * 32, 5, parties, 1), "payer")


def test_who_is_party_may_not_judge(court: Court) -> None:
    """SPEC 7.152: node, its signers, its stakers; the challenger and the node it signs for."""
    world = court.world
    parties = world.address("node"), world.address("challenger"), world.now - 1

    def eligible(actor: str) -> bool:
        return bool(court.pool.functions.isEligible(world.address(actor), parties).call())

    assert all(eligible(juror) for juror in JURORS)
    assert not eligible("node")
    assert not eligible("challenger")
    world.authorize("node", "staker")
    world.stake("node", OPEN, staker="curator")
    world.authorize("model_owner", "challenger")
    assert [juror for juror in JURORS if not eligible(juror)] == ["curator", "model_owner", "staker"]


def test_draw_blocks_leave_time_to_draw(court: Court) -> None:
    """SPEC 7.153: a scheduled block is in the future, and its period has blocks left after it."""
    for _ in range(PERIOD + 2):
        head = court.world.web3.eth.block_number
        scheduled = court.pool.functions.nextDrawBlock().call({"from": court.world.address("payer")})
        # A call sees the block that would be mined next.
        assert head < scheduled <= head + 8
        assert scheduled % PERIOD < PERIOD - 4
        court.world.chain.mine()


def test_hashes_of_other_periods_are_no_seed(court: Court) -> None:
    """SPEC 7.153: only a past block of the running period has one."""
    court.reach_block((court.world.web3.eth.block_number // PERIOD + 1) * PERIOD + 3)
    first = court.world.web3.eth.block_number // PERIOD * PERIOD
    hash_of = court.pool.functions.hashOf
    assert hash_of(first).call() == court.world.web3.eth.get_block(first)["hash"]
    assert hash_of(first - 1).call() == hash_of(first + PERIOD).call() == bytes(32)


@pytest.fixture(scope="module")
def tree(courthouse: World) -> Contract:
    at = Web3Deployer(courthouse.web3, courthouse.address("deployer")).deploy("DisputesMock")
    return courthouse.web3.eth.contract(address=World.checksum(at), abi=load_artifact("DisputesMock").abi)


CHANGES = st.lists(
    st.tuples(st.integers(0, 4095) | st.integers(0, 9), st.integers(0, 500)), min_size=1, max_size=12
)


@given(CHANGES, CHANGES)
@settings(
    max_examples=12,
    deadline=None,
    # With so few examples, a handful of overlong drafts of a list would already count as a fault of the test.
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
    ],
)
def test_the_tree_finds_what_a_list_finds_and_changes_between_periods_only(
    courthouse: World, tree: Contract, first: list[tuple[int, int]], second: list[tuple[int, int]]
) -> None:
    """SPEC 7.141: the tree is the list of `protocol.disputes.seat_at`, as it was when the period began."""
    with rewound(courthouse):
        weights: dict[int, int] = {}
        for seat, weight in first:
            courthouse.send(tree.functions.set(seat, weight, 7), "deployer")
            weights[seat] = weight
        assert tree.functions.total(7).call() == 0
        check(tree, weights, 8)
        for seat, weight in second:
            courthouse.send(tree.functions.set(seat, weight, 8), "deployer")
        check(tree, weights, 8)
        check(tree, weights | dict(second), 9)


def check(tree: Contract, weights: dict[int, int], period: int) -> None:
    places = sorted(weights)
    row = [weights[place] for place in places]
    assert tree.functions.total(period).call() == sum(row)
    edges = {sum(row[:at]) for at in range(len(row))} | {sum(row[: at + 1]) - 1 for at in range(len(row))}
    for point in sorted(edge for edge in edges if 0 <= edge < sum(row)):
        place = seat_at(row, point)
        assert tree.functions.find(point, period).call() == [places[place], row[place]]


def test_weights_that_do_not_fit_are_refused(courthouse: World, tree: Contract) -> None:
    with rewound(courthouse):
        courthouse.send(tree.functions.set(0, 2**28 - 1, 1), "deployer")
        with reverts("StakeTreeOverflow", 2**28):
            courthouse.send(tree.functions.set(1, 1, 1), "deployer")
