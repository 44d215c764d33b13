import pytest

from inference_worker.blobs.node_blobs import NodeBlobs
from inference_worker.errors import RowsUnreadable
from inference_worker.training.dataset import load_dataset, run_digest
from protocol.manifest import Row
from tests.inference_worker.blob_server import TOKEN, BlobServer

ALICE, BOB, COPIER = ("0x" + digit * 40 for digit in "123")
ROWS: list[tuple[Row, str, int | None]] = [
    (Row("qa", f"Description: thing {n}\nCode:", f"A{n}", {}), ALICE if n % 2 else BOB, None)
    for n in range(9)
]


def test_copies_change_nothing_that_is_trained_on(node: BlobServer) -> None:
    """SPEC 2.31, 5.25: same rows, same order, same sketch seed, with and without a copier."""
    copies = [
        (Row("qa", row.prompt.upper(), row.completion, {}), COPIER, place)
        for place, (row, _, _) in enumerate(ROWS[:4])
    ]
    blobs = NodeBlobs(node.socket, TOKEN)
    without = load_dataset(blobs, node.publish(ROWS))
    with_copies = load_dataset(blobs, node.publish([*ROWS, *copies]))
    assert [s.row for s in without.rows] == [s.row for s in with_copies.rows]
    assert without.digest() == with_copies.digest() and with_copies.licences() == ("CC0-1.0",)
    assert run_digest(without, "0x1", "0x2") == run_digest(with_copies, "0x1", "0x2")
    assert run_digest(without, "0x1", "0x2") != run_digest(without, "0x3", "0x2")


def test_rows_that_the_node_may_not_read_stop_the_job(node: BlobServer) -> None:
    """SPEC 2.31"""
    manifest = node.publish(ROWS)
    missing = node.rows[manifest].pop(3)
    with pytest.raises(RowsUnreadable) as refused:
        load_dataset(NodeBlobs(node.socket, TOKEN), manifest)
    assert refused.value.missing == [missing["index"]]
