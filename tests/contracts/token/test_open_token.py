"""OPEN: fixed supply, votes by seconds, permits."""

from scripts.deployment_plan import OPEN
from tests.contracts.world import World, reverts


def test_the_supply_is_fixed_and_nobody_can_mint(world: World) -> None:
    """SPEC 8.30: one billion OPEN exist at construction, and no function makes more."""
    assert world.token.functions.totalSupply().call() == 10**9 * OPEN
    names = {entry["name"] for entry in world.token.abi if entry["type"] == "function"}
    assert not {name for name in names if "mint" in name.lower() or name.lower() == "owner"}


def test_burning_lowers_the_supply(world: World) -> None:
    world.send(world.token.functions.burn(5), "deployer")
    assert world.token.functions.totalSupply().call() == 10**9 * OPEN - 5


def test_votes_count_in_seconds(world: World) -> None:
    assert world.token.functions.CLOCK_MODE().call() == "mode=timestamp"
    assert world.token.functions.clock().call() == world.now


def test_undelegated_tokens_do_not_vote_and_past_votes_do_not_change(world: World) -> None:
    """SPEC 9.29: votes at a past time are fixed."""
    deployer = world.address("deployer")
    assert world.token.functions.getVotes(deployer).call() == 0
    delegated = world.send(world.token.functions.delegate(deployer), "deployer")
    world.send(world.token.functions.transfer(world.address("payer"), 7), "deployer")
    world.pass_to(world.now + 10)
    assert world.token.functions.getPastVotes(deployer, delegated.time).call() == 10**9 * OPEN
    assert world.token.functions.getVotes(deployer).call() == 10**9 * OPEN - 7


def test_a_transfer_beyond_the_balance_reverts_with_both(world: World) -> None:
    payer, stranger = world.address("payer"), world.address("stranger")
    with reverts("ERC20InsufficientBalance", payer, 0, 1):
        world.send(world.token.functions.transfer(stranger, 1), "payer")
