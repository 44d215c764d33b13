"""A node's database file and its blob store, real and empty."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from node.blobs.store import BlobStore
from node.store.blocks import BlockTable
from node.store.database import Database, open_database


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = open_database(tmp_path / "node.sqlite")
    yield opened
    opened.close()


@pytest.fixture
def blobs(database: Database) -> BlobStore:
    return BlobStore(BlockTable(database))
