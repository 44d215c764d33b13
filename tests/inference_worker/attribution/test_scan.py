import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference_worker.attribution.codes import Codes
from inference_worker.attribution.method import CODE_LIMIT, SCALE_LIMIT, WEIGHT_LIMIT
from inference_worker.attribution.scan import STRIDE, scan_columns
from inference_worker.attribution.tiles import TILE_ROWS, bit_planes, tile_bits, untile_bits
from tests.inference_worker.attribution.naive_scan import column_of, scan_naively


def random_rows(draw: np.random.Generator, rows: int, width: int) -> Codes:
    bits = draw.integers(0, 256, (rows, -(-width // 8)), dtype=np.uint8)
    return Codes(bits, draw.integers(0, SCALE_LIMIT + 1, rows).astype(np.uint16))


@settings(max_examples=120, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    rows=st.integers(0, 3 * TILE_ROWS + 1),
    width=st.integers(1, 200),
    checkpoints=st.integers(1, 4),
    low=st.sampled_from((-CODE_LIMIT, -1, 0, CODE_LIMIT)),
)
def test_the_scan_equals_the_naive_one(seed: int, rows: int, width: int, checkpoints: int, low: int) -> None:
    """SPEC 5.100: any shape, codes all of one sign, all zero or all extreme."""
    draw = np.random.default_rng(seed)
    codes = draw.integers(low, max(low, -low) + 1, (checkpoints, width)).astype(np.int8)
    weights = [int(weight) for weight in draw.integers(0, WEIGHT_LIMIT + 1, checkpoints)]
    points = [random_rows(draw, rows, width) for _ in range(checkpoints)]
    scores = scan_columns(codes, weights, [column_of(point) for point in points], rows)
    assert np.array_equal(scores, scan_naively(codes, weights, points)) and scores.dtype == np.int64


@pytest.mark.parametrize("fill", [0, 255])
@pytest.mark.parametrize("code", [-CODE_LIMIT, 0, CODE_LIMIT])
def test_extremes_are_exact(fill: int, code: int) -> None:
    """SPEC 5.100: every bit alike, every code at its limit, the largest magnitude and weight."""
    codes = np.full((3, 1024), code, dtype=np.int8)
    point = Codes(np.full((5, 128), fill, dtype=np.uint8), np.full(5, SCALE_LIMIT, dtype=np.uint16))
    scores = scan_columns(codes, [WEIGHT_LIMIT] * 3, [column_of(point)] * 3, 5)
    sign = 1 if fill else -1
    assert scores.tolist() == [3 * WEIGHT_LIMIT * SCALE_LIMIT * sign * 1024 * code] * 5


def test_threads_change_nothing() -> None:
    """SPEC 5.101"""
    draw = np.random.default_rng(3)
    rows = 3 * STRIDE * TILE_ROWS + 77
    codes = draw.integers(-CODE_LIMIT, CODE_LIMIT + 1, (2, 100)).astype(np.int8)
    points = [random_rows(draw, rows, 100) for _ in range(2)]
    expected = scan_naively(codes, [65_536, 7], points)
    for threads in (1, 2, 3, 5, 64):
        found = scan_columns(codes, [65_536, 7], [column_of(point) for point in points], rows, threads)
        assert np.array_equal(found, expected)


@settings(max_examples=40, deadline=None)
@given(rows=st.integers(0, 300), size=st.integers(1, 30), seed=st.integers(0, 99))
def test_tiles_hold_the_same_bits(rows: int, size: int, seed: int) -> None:
    """SPEC 5.100"""
    bits = np.random.default_rng(seed).integers(0, 256, (rows, size), dtype=np.uint8)
    tiles = tile_bits(bits)
    assert np.array_equal(untile_bits(tiles, rows, size), bits)
    assert int(np.bitwise_count(tiles).sum()) == int(np.bitwise_count(bits).sum())


@given(st.lists(st.integers(-128, 127), min_size=1, max_size=200))
def test_planes_weigh_as_twos_complement(numbers: list[int]) -> None:
    """SPEC 5.100"""
    planes = bit_planes(np.array(numbers, dtype=np.int8))
    weights = [1, 2, 4, 8, 16, 32, 64, -128]
    bits = [np.unpackbits(np.ascontiguousarray(planes[:, bit]).view(np.uint8)) for bit in range(8)]
    found = sum(weight * plane.astype(int) for weight, plane in zip(weights, bits, strict=True))
    assert found[: len(numbers)].tolist() == numbers and not found[len(numbers) :].any()
