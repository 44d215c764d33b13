"""A node that crashed, or is new, has the same picture as one that did not, from the chain and the bytes."""

import pytest

from node.datanet.icd10 import row_of, select_codes
from node.datanet.mirror import DatanetMirror, Progress
from node.store.datanet import DatanetTable
from tests.node.actors import DatanetNode, World, send_blobs, start_node

ROWS = [row_of(code) for code in select_codes(6, "mirror")]


def mirror(node: DatanetNode) -> DatanetMirror:
    return DatanetMirror(node.table, node.contracts, node.contributions, node.review, node.versions)


def picture(node: DatanetNode, datanet: int) -> tuple[object, ...]:
    return node.table.contributions(datanet), node.table.rows(datanet), node.table.versions(datanet)


def test_a_new_node_catches_up_with_bytes_and_waits_without(
    world: World, curator: DatanetNode, datanet: int
) -> None:
    """SPEC 1.18"""
    curator.review.decide(curator.contributions.submit(datanet, ROWS, "CC0-1.0"))
    curator.versions.publish(datanet)
    fresh = start_node(world, "stranger")
    assert mirror(fresh).catch_up() == Progress(0, 0, 0, 0)
    send_blobs(curator, fresh)
    assert mirror(fresh).catch_up() == Progress(1, 1, 0, 1)
    assert mirror(fresh).catch_up() == Progress(0, 0, 0, 0)
    assert picture(fresh, datanet) == picture(curator, datanet)


@pytest.mark.parametrize("lost", ["put_contribution", "decide", "put_version"])
def test_a_crash_between_transaction_and_record_is_mended(
    curator: DatanetNode, datanet: int, monkeypatch: pytest.MonkeyPatch, lost: str
) -> None:
    """SPEC 1.18"""

    class Crash(Exception):
        pass

    def crash(*_: object) -> None:
        raise Crash

    def whole_stage() -> None:
        curator.review.decide(curator.contributions.submit(datanet, ROWS, "CC0-1.0"))
        curator.versions.publish(datanet)

    with monkeypatch.context() as patched:
        patched.setattr(DatanetTable, lost, crash)
        with pytest.raises(Crash):
            whole_stage()
    done = mirror(curator).catch_up()
    assert Progress(0, 0, 0, 0) != done
    assert mirror(curator).catch_up() == Progress(0, 0, 0, 0)
    assert len(curator.table.rows(datanet)) == len(ROWS)
