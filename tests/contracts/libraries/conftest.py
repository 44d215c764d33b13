"""The libraries behind their mock, and the vectors they are held to."""

import json
from pathlib import Path
from typing import Any

import pytest
from web3.contract import Contract

from node.chain.deployment import load_artifact
from scripts.deployment_plan import Web3Deployer
from tests.contracts.world import World

VECTORS = Path(__file__).resolve().parents[2] / "vectors"


@pytest.fixture
def libraries(world: World) -> Contract:
    address = Web3Deployer(world.web3, world.address("deployer")).deploy("LibrariesMock")
    checksummed = world.web3.to_checksum_address(address)
    return world.web3.eth.contract(address=checksummed, abi=load_artifact("LibrariesMock").abi)


def vectors(name: str) -> Any:
    return json.loads((VECTORS / f"{name}.json").read_text())
