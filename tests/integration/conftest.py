from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.ledger_world import LedgerWorld, Prepared
from tests.node.chain.support import chain_process


@pytest.fixture(scope="module")
def staked_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[LedgerWorld, Prepared]]:
    """A chain of its own, with everything set up but nothing asked yet."""
    with chain_process() as chain:
        world = LedgerWorld(chain.url, tmp_path_factory.mktemp("world"))
        world.stake()
        yield world, world.prepare()


@pytest.fixture
def world(staked_world: tuple[LedgerWorld, Prepared]) -> Iterator[LedgerWorld]:
    """The same world at its beginning for every test."""
    world, _ = staked_world
    snapshot = world.snapshot()
    yield world
    world.revert(snapshot)


@pytest.fixture
def prepared(staked_world: tuple[LedgerWorld, Prepared], tmp_path: Path) -> Prepared:
    """A fresh copy of the prepared data folder."""
    world, template = staked_world
    return world.copy(template, tmp_path / "node")
