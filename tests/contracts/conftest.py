"""One deployment for the whole run; every test starts from it and leaves no trace."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from web3 import Web3

from scripts import deployment_plan
from scripts.deployment_plan import OPEN, Settings
from tests.contracts.coverage import Coverage, watch
from tests.contracts.epochs import Ledger
from tests.contracts.world import World, rewound


@pytest.fixture(scope="session", autouse=True)
def other_code() -> Iterator[None]:
    """The code under test where coverage or mutation asks for other builds than the committed ones."""
    folder = os.environ.get("OPENLEDGER_CONTRACT_ARTIFACTS")
    hits = os.environ.get("OPENLEDGER_CONTRACT_HITS")
    if folder is not None:
        deployment_plan.ARTIFACTS = Path(folder)
    if folder is None or hits is None:
        yield
        return
    coverage = Coverage.load(Path(folder))
    watch(coverage)
    yield
    coverage.save(Path(hits))


@pytest.fixture(scope="session")
def deployed() -> World:
    """On Brownie's network and by Brownie's deployment where `brownie test` runs us."""
    brownie = sys.modules.get("brownie")
    if brownie is None or not brownie.network.is_connected():
        return World()
    from scripts.deploy import deploy_with_brownie

    def deploy(_: Web3, deployer: str, settings: Settings) -> dict[str, Any]:
        return deploy_with_brownie(brownie.accounts.at(deployer, force=True), settings)

    return World(url=brownie.web3.provider.endpoint_uri, deploy=deploy)


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
