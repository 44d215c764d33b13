"""A suite in which actors may void and hold."""

from collections.abc import Iterator

import pytest

from scripts.deployment_plan import OPEN
from tests.contracts.epochs import Ledger
from tests.contracts.judged import deploy_judged
from tests.contracts.world import World, rewound


@pytest.fixture(scope="module")
def courthouse(deployed: World) -> Iterator[World]:
    with rewound(deployed):
        yield deploy_judged(deployed)


@pytest.fixture
def court(courthouse: World) -> Iterator[World]:
    with rewound(courthouse):
        yield courthouse


@pytest.fixture
def book(court: World) -> Ledger:
    """Two nodes with stake enough for many bonds, and the oracle of what everyone earns."""
    for node in ("node", "other_node"):
        court.stake(node, 100_000 * OPEN)
    return Ledger(court)
