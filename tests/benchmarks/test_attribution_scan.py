from pathlib import Path

import numpy as np

from benchmarks.attribution_scan import keep_best, measure, render
from benchmarks.record import machine


def test_scan_and_plain_pass_meet_the_same_bytes(tmp_path: Path) -> None:
    """Three checkpoints of three tiles: 128 rows of 128 bytes of signs and 2 of magnitude each; 5 bytes a row
    beside them.
    """
    for one in measure(300, (1, 2), turns=3, folder=tmp_path):
        assert one.scanned == 3 * 3 * 128 * 130 and one.bytes == one.scanned + 5 * 300
        assert 0 < one.ratio.low <= one.ratio.median <= one.ratio.high
        assert f"| 300 | {one.threads} |" in render(machine(), "none", 3, [one])
    assert list(tmp_path.iterdir()) == []


def test_the_selection_keeps_the_best() -> None:
    scores = np.zeros(1000, np.int64)
    scores[[3, 700]] = 5, 9
    kept = keep_best(scores, np.arange(1000, dtype=np.uint32))
    assert [(one.canonical, one.score) for one in kept] == [(3, 5), (700, 9)]
