from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from node.daemon import Daemon
from tests.integration import worker_server
from tests.integration.ledger_world import FileCatalog, LedgerWorld, Prepared
from tests.integration.running_node import Node
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


@pytest.fixture
async def node(world: LedgerWorld, prepared: Prepared, tmp_path: Path) -> AsyncIterator[Node]:
    """A running node; the settlement's turns are the test's to take."""
    socket = tmp_path / "worker.sock"
    runner = await worker_server.listen(socket, "a token")
    settings = world.settings(prepared.folder, socket, settlement_poll=3_600.0)
    daemon = Daemon(settings, lambda *_: FileCatalog(prepared.folder / "catalog.json"))
    yield Node(await daemon.start(), world, prepared)
    await daemon.stop()
    await runner.cleanup()
