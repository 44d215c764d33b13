import pytest

from benchmarks.attribution_scan import measure, render
from benchmarks.record import machine


@pytest.mark.parametrize("threads", [1, 2])
def test_scan_and_plain_pass_meet_the_same_bytes(threads: int) -> None:
    """Three checkpoints of three tiles: 128 rows of 128 bytes of signs and 2 of magnitude each."""
    one = measure(300, threads, turns=3)
    assert one.bytes == 3 * 3 * 128 * 130 and one.rows == 300
    assert 0 < one.ratio.low <= one.ratio.median <= one.ratio.high
    assert f"| 300 | {threads} |" in render(machine(), "none", 3, [one])
