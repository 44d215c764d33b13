"""A Datanet with staked curators, and a ledger whose parameters a test may set."""

from collections.abc import Iterator

import pytest

from tests.contracts.datanets import appoint, create, deploy_tunable, ensure_stake
from tests.contracts.world import World


@pytest.fixture
def datanet(world: World) -> int:
    """Owned by model_owner, who has no stake; curated by curator and node, who have."""
    number = create(world, "model_owner")
    ensure_stake(world, "curator")
    appoint(world, number, "model_owner", "curator", "node")
    return number


@pytest.fixture
def tuned(world: World) -> Iterator[World]:
    """The world with a ledger upon parameters that the deployer may set."""
    before = dict(world.record["contracts"])
    world.record["contracts"].update(deploy_tunable(world))
    yield world
    world.record["contracts"].update(before)
