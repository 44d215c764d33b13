"""A court with its jurors, prepared once a module; every test starts from it and leaves no trace."""

from collections.abc import Iterator

import pytest

from tests.contracts.disputes.court import Court
from tests.contracts.epochs import Ledger
from tests.contracts.world import World, rewound


@pytest.fixture(scope="module")
def courthouse(deployed: World) -> Iterator[World]:
    with rewound(deployed):
        Court(deployed, Ledger(deployed)).prepare()
        yield deployed


@pytest.fixture
def court(courthouse: World) -> Iterator[Court]:
    with rewound(courthouse):
        yield Court(courthouse, Ledger(courthouse))
