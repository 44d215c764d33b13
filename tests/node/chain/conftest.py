from collections.abc import Iterator

import pytest

from tests.node.chain.support import LocalDevnet


@pytest.fixture
def devnet() -> Iterator[LocalDevnet]:
    running = LocalDevnet()
    yield running
    running.close()
