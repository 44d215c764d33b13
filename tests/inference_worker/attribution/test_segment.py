from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference_worker.attribution.codes import Codes, QueryCode
from inference_worker.attribution.index_files import IndexFiles
from inference_worker.attribution.method import CODE_LIMIT, WEIGHT_LIMIT
from inference_worker.attribution.segment import (
    BLOCK_ROWS,
    Segment,
    open_segment,
    scan_index,
    write_codes,
    write_columns,
)
from inference_worker.errors import IndexCorrupt
from protocol.index_listing import Columns
from protocol.index_pages import TILE_ROWS, CodeShape, read_rows
from tests.inference_worker.attribution.naive_scan import scan_naively
from tests.inference_worker.attribution.test_scan import random_rows

POINTS = 2


def random_points(seed: int, rows: int, width: int) -> list[Codes]:
    draw = np.random.default_rng(seed)
    return [random_rows(draw, rows, width) for _ in range(POINTS)]


def random_query(seed: int, width: int) -> QueryCode:
    draw = np.random.default_rng(seed)
    codes = draw.integers(-CODE_LIMIT, CODE_LIMIT + 1, (POINTS, width)).astype(np.int8)
    return QueryCode(codes, (WEIGHT_LIMIT, 1234))


def write(files: IndexFiles, points: list[Codes], width: int) -> Segment:
    count = len(points[0].magnitude)
    rows = np.arange(count, dtype=np.uint32) + 5
    named = write_columns(files, rows, (rows % 2).astype(np.uint8))
    for number, codes in enumerate(points):
        named |= write_codes(files, number, codes)
    return open_segment(files, CodeShape(POINTS, width), Columns(count, named))


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 999),
    counts=st.lists(st.integers(0, 3 * TILE_ROWS), min_size=1, max_size=3),
    width=st.sampled_from([64, 128, 192]),
)
def test_scores_from_disk_are_those_from_memory(
    tmp_path_factory: pytest.TempPathFactory, seed: int, counts: list[int], width: int
) -> None:
    """SPEC 5.102: any number of segments."""
    files = IndexFiles(tmp_path_factory.mktemp("files"))
    points = [random_points(seed + n, rows, width) for n, rows in enumerate(counts)]
    opened = [write(files, one, width) for one in points]
    query = random_query(seed, width)
    expected = [scan_naively(query.codes, query.weights, one) for one in points]
    assert np.array_equal(scan_index(query, opened, threads=2), np.concatenate(expected))
    assert [one.rows.tolist() for one in opened] == [list(range(5, 5 + rows)) for rows in counts]


def test_a_row_read_by_the_rule_of_records_has_the_score_of_the_scan(tmp_path: Path) -> None:
    """SPEC 5.126: whoever has a row's record alone computes the score that all rows' scan gave it."""
    files, shape = IndexFiles(tmp_path), CodeShape(POINTS, 128)
    segment = write(files, random_points(3, 300, 128), 128)
    query = random_query(4, 128)
    scores = scan_index(query, [segment])
    columns = {name: [files.path(cid).read_bytes()] for name, cid in segment.files.files.items()}
    for place, row in enumerate(read_rows(shape, 300, columns)):
        score = 0
        for weight, magnitude, signs, code in zip(
            query.weights, row.magnitudes, row.signs, query.codes, strict=True
        ):
            bits = int.from_bytes(signs, "big")
            total = sum(int(c) if bits >> 127 - j & 1 else -int(c) for j, c in enumerate(code))
            score += weight * magnitude * total
        assert (row.row, row.flags, score) == (5 + place, (5 + place) % 2, int(scores[place]))


def test_columns_larger_than_a_block_are_written_whole(tmp_path: Path) -> None:
    """SPEC 5.102, 5.104: and take the bytes that their rows say."""
    files, rows = IndexFiles(tmp_path), BLOCK_ROWS + 130
    points = random_points(1, rows, 64)
    segment = write(files, points, 64)
    query = random_query(2, 64)
    assert np.array_equal(scan_index(query, [segment]), scan_naively(query.codes, query.weights, points))
    sizes = {name: files.path(cid).stat().st_size for name, cid in segment.files.files.items()}
    assert sizes == CodeShape(POINTS, 64).columns(rows)


def test_equal_codes_are_equal_files(tmp_path: Path) -> None:
    """SPEC 5.103: a segment is never changed, and one of the same rows takes no more room."""
    files = IndexFiles(tmp_path)
    first = write(files, random_points(1, 200, 64), 64)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert write(files, random_points(1, 200, 64), 64).files == first.files
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_file_of_another_size_is_refused(tmp_path: Path) -> None:
    """SPEC 5.106"""
    files = IndexFiles(tmp_path)
    segment = write(files, random_points(1, 130, 64), 64)
    for rows in (129, 131, 257):
        with pytest.raises(IndexCorrupt, match="bytes of column"):
            open_segment(files, CodeShape(POINTS, 64), Columns(rows, segment.files.files))
