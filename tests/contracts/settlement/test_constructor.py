"""A deployment that could not work is refused."""

from typing import Any

import pytest

from node.chain.deployment import load_artifact
from scripts.deployment_plan import constructor_arguments
from tests.contracts.world import REFUSALS, World, _decoded, reverts

ZERO = "0x" + "00" * 20


def construct(
    world: World, links: dict[int, Any] | None = None, settings: dict[int, int] | None = None
) -> None:
    """Runs EpochSettlement's constructor with single arguments changed, by their place in the struct."""
    at = {name: world.checksum(address) for name, address in world.record["contracts"].items()}
    given = constructor_arguments(at, world.address("deployer"), world.settings)["EpochSettlement"]
    changed = [
        tuple((spoilt or {}).get(place, value) for place, value in enumerate(struct))
        for struct, spoilt in zip(given, (links, settings), strict=True)
    ]
    artifact = load_artifact("EpochSettlement")
    factory = world.web3.eth.contract(abi=artifact.abi, bytecode=artifact.bytecode)
    try:
        factory.constructor(*changed).estimate_gas({"from": world.address("deployer")})
    except REFUSALS as error:
        raise _decoded(error) from None


def test_the_plans_arguments_are_accepted(world: World) -> None:
    construct(world)


@pytest.mark.parametrize("place", range(6))
def test_no_link_is_missing(world: World, place: int) -> None:
    """SPEC 7.74: channels, gateway, staking, parameters, guardian and vault are named."""
    with reverts("EpochSettlementZeroAddress"):
        construct(world, links={place: ZERO})


@pytest.mark.parametrize("place", [6, 7])
def test_no_judge_or_holder_is_nobody(world: World, place: int) -> None:
    """SPEC 7.74: nor is the zero address a judge or a holder."""
    with reverts("EpochSettlementZeroAddress"):
        construct(world, links={place: [ZERO]})


def test_epochs_have_a_length(world: World) -> None:
    """SPEC 7.74: an epoch of no length has no end."""
    with reverts("EpochSettlementZeroLength"):
        construct(world, settings={1: 0})


@pytest.mark.parametrize(("after", "accepted"), [(99, False), (100, True)])
def test_a_node_has_an_epoch_to_move_its_money(world: World, after: int, accepted: bool) -> None:
    """SPEC 7.74: money is not given up for lost before one more epoch has passed."""
    if accepted:
        construct(world, settings={2: after})
        return
    with reverts("EpochSettlementAbandonedTooSoon", after, 100):
        construct(world, settings={2: after})
