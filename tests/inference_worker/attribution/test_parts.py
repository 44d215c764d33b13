from pathlib import Path

import numpy as np

from inference_worker.attribution.parts import Arrays, Parts


class Work:
    """Counts what is computed and what is not."""

    def __init__(self) -> None:
        self.computed = self.skipped = 0

    def compute(self) -> Arrays:
        self.computed += 1
        return {"a": np.arange(5.0), "b": np.ones((2, 3), np.uint8)}

    def skip(self) -> None:
        self.skipped += 1


def test_a_part_is_computed_once_for_its_inputs(tmp_path: Path) -> None:
    """SPEC 5.128: in this process and the next; for other inputs anew, and the old ones are gone."""
    work = Work()
    for parts in (Parts(tmp_path, b"1"), Parts(tmp_path, b"1")):
        found = parts.kept("x", work.compute, work.skip)
        assert np.array_equal(found["a"], np.arange(5.0)) and found["b"].shape == (2, 3)
    assert (work.computed, work.skipped) == (1, 1)
    Parts(tmp_path, b"2").kept("x", work.compute, work.skip)
    assert (work.computed, work.skipped) == (2, 1) and len(list(tmp_path.iterdir())) == 1


def test_a_torn_part_is_computed_anew(tmp_path: Path) -> None:
    """SPEC 5.128"""
    work = Work()
    Parts(tmp_path, b"1").kept("x", work.compute, work.skip)
    (path,) = tmp_path.rglob("x")
    path.write_bytes(path.read_bytes()[:-70])
    found = Parts(tmp_path, b"1").kept("x", work.compute, work.skip)
    assert work.computed == 2 and np.array_equal(found["a"], np.arange(5.0))
