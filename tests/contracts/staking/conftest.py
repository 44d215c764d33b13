"""The staking by itself, beside the suite's."""

import pytest

from tests.contracts.staking.bench import Bench, bench_of
from tests.contracts.world import World


@pytest.fixture
def bench(world: World) -> Bench:
    return bench_of(world)
