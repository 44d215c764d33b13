"""A Datanet whose curator may accept labour."""

import pytest

from tests.contracts.datanets import create, ensure_stake
from tests.contracts.world import World


@pytest.fixture
def datanet(world: World) -> int:
    ensure_stake(world, "curator")
    return create(world, "curator")
