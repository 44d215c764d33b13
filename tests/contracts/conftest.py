"""One deployment for the whole run; every test starts from it and leaves no trace."""

from collections.abc import Iterator

import pytest

from scripts.deployment_plan import OPEN
from tests.contracts.epochs import Ledger
from tests.contracts.world import World, rewound


@pytest.fixture(scope="session")
def deployed() -> World:
    return World()


@pytest.fixture
def world(deployed: World) -> Iterator[World]:
    with rewound(deployed):
        yield deployed


@pytest.fixture
def ledger(world: World) -> Ledger:
    """Two staked nodes that can bond, and the oracle of what everyone earns."""
    for node in ("node", "other_node"):
        world.stake(node)
        world.fund(node, 10_000 * OPEN, world.settlement)
    return Ledger(world)
