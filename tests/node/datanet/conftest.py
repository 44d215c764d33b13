"""A chain with the registries, and the nodes of the people around one Datanet."""

from collections.abc import Iterator

import pytest

from tests.node.actors import METADATA, DatanetNode, World, running_world, start_node


@pytest.fixture(scope="session")
def world() -> Iterator[World]:
    with running_world() as started:
        yield started


@pytest.fixture
def curator(world: World) -> Iterator[DatanetNode]:
    node = start_node(world, "curator")
    yield node
    node.database.close()


@pytest.fixture
def contributor(world: World) -> Iterator[DatanetNode]:
    node = start_node(world, "contributor")
    yield node
    node.database.close()


@pytest.fixture
def copier(world: World) -> Iterator[DatanetNode]:
    node = start_node(world, "copier")
    yield node
    node.database.close()


@pytest.fixture
def datanet(curator: DatanetNode) -> int:
    return curator.contracts.create("ICD-10-CM coding", "icd-10-cm", False, "CC0-1.0", METADATA)
