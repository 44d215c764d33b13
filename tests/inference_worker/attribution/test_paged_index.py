from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from eth_hash.auto import keccak
from hypothesis import given, settings
from hypothesis import strategies as st

from inference_worker.attribution import segment as segments
from inference_worker.attribution.codes import QueryCode
from inference_worker.attribution.index import Codes
from inference_worker.attribution.method import CODE_LIMIT, WEIGHT_LIMIT
from inference_worker.attribution.paged_index import (
    append_version,
    index_root,
    open_index,
    scan_index,
    segment_folders,
)
from inference_worker.attribution.segment import (
    PAGE_BYTES,
    SegmentFacts,
    changed_pages,
    payloads,
    segment_root,
)
from inference_worker.attribution.tiles import TILE_ROWS
from inference_worker.errors import IndexCorrupt, IndexTooLarge
from protocol.hashing import sha256
from protocol.merkle import prove, verify
from tests.inference_worker.attribution.naive_scan import scan_naively
from tests.inference_worker.attribution.test_scan import random_rows

POINTS = 2


def facts_of(rows: int, width: int = 72, version: str = "bafk1") -> SegmentFacts:
    return SegmentFacts("0xsource", version, rows, POINTS, width)


def batches(codes: Codes, size: int) -> Iterator[Codes]:
    for at in range(0, len(codes.magnitude), size):
        yield Codes(codes.bits[at : at + size], codes.magnitude[at : at + size])


def append(index: Path, points: list[Codes], batch: int = 100, width: int = 72) -> Path:
    count = len(points[0].magnitude)
    rows = np.arange(count, dtype=np.uint32) + 5
    return append_version(index, facts_of(count, width), rows, [batches(one, batch) for one in points])


def random_points(seed: int, rows: int, width: int = 72) -> list[Codes]:
    draw = np.random.default_rng(seed)
    return [random_rows(draw, rows, width) for _ in range(POINTS)]


def random_query(seed: int, width: int = 72) -> QueryCode:
    draw = np.random.default_rng(seed)
    codes = draw.integers(-CODE_LIMIT, CODE_LIMIT + 1, (POINTS, width)).astype(np.int8)
    return QueryCode(codes, (WEIGHT_LIMIT, 1234))


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 999),
    counts=st.lists(st.integers(1, 3 * TILE_ROWS), min_size=1, max_size=3),
    batch=st.integers(1, 200),
    width=st.integers(1, 150),
)
def test_scores_from_disk_are_those_from_memory(
    tmp_path_factory: pytest.TempPathFactory, seed: int, counts: list[int], batch: int, width: int
) -> None:
    """SPEC 5.102: any versions, any batches."""
    index = tmp_path_factory.mktemp("index")
    versions = [random_points(seed + n, rows, width) for n, rows in enumerate(counts)]
    for points in versions:
        append(index, points, batch, width)
    query = random_query(seed, width)
    expected = [scan_naively(query.codes, query.weights, points) for points in versions]
    opened = open_index(index)
    assert np.array_equal(scan_index(query, opened, threads=2), np.concatenate(expected))
    assert [one.rows.tolist() for one in opened] == [list(range(5, 5 + rows)) for rows in counts]


def test_a_new_version_changes_no_file_and_no_older_root(tmp_path: Path) -> None:
    """SPEC 5.103"""
    append(tmp_path, random_points(1, 300))
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    old = index_root(tmp_path, keccak)
    append(tmp_path, random_points(2, 41))
    assert {path: path.read_bytes() for path in before} == before
    assert index_root(tmp_path, keccak, versions=1) == old != index_root(tmp_path, keccak)


def test_the_size_is_known_before(tmp_path: Path) -> None:
    """SPEC 5.104: to the byte; ten million rows of three checkpoints stay below 4.5 GB."""
    folder = append(tmp_path, random_points(1, 1000))
    assert facts_of(1000).disk_bytes() == sum(path.stat().st_size for path in folder.iterdir())
    assert replace(facts_of(10_000_000, 1024), checkpoints=3).disk_bytes() < 4_500_000_000


def test_without_room_nothing_is_written(tmp_path: Path) -> None:
    """SPEC 5.104"""
    endless = replace(facts_of(2**32, 2**16), checkpoints=16)
    with pytest.raises(IndexTooLarge):
        append_version(tmp_path, endless, np.zeros(0, dtype=np.uint32), [])
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module")
def several_pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    index = tmp_path_factory.mktemp("pages")
    return append(index, random_points(4, 9000, 1024), 1000, 1024)


def test_every_page_is_proved_by_a_path(several_pages: Path) -> None:
    """SPEC 5.105"""
    leaves, top = payloads(several_pages), segment_root(several_pages, keccak)
    pages = [
        data[at : at + PAGE_BYTES]
        for name in segments.read_facts(several_pages).columns()
        for data in [(several_pages / name).read_bytes()]
        for at in range(0, len(data), PAGE_BYTES)
    ]
    assert len(pages) == len(leaves) - 1 == 7
    for place, page in enumerate(pages, start=1):
        proof = prove(leaves, place, keccak)
        assert verify(sha256(page), proof, top, keccak)
        assert not verify(
            sha256(b"\1" + page[1:] if page[:1] == b"\0" else b"\0" + page[1:]), proof, top, keccak
        )


@pytest.mark.parametrize(("column", "place"), [("0.signs", PAGE_BYTES + 3), ("1.magnitude", 17), ("rows", 0)])
def test_a_changed_bit_is_found_in_its_page(several_pages: Path, column: str, place: int) -> None:
    """SPEC 5.105"""
    path = several_pages / column
    data = bytearray(path.read_bytes())
    data[place] ^= 4
    path.write_bytes(data)
    assert list(changed_pages(several_pages)) == [(column, place // PAGE_BYTES)]
    data[place] ^= 4
    path.write_bytes(data)
    assert list(changed_pages(several_pages)) == []


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    """SPEC 5.106: other sizes, missing files or rows, facts beyond limits, a gap, another source."""
    folder = append(tmp_path, random_points(1, 130))
    rows, short = np.arange(130, dtype=np.uint32), [[codes] for codes in random_points(1, 129)]
    with pytest.raises(IndexCorrupt, match="source"):
        append_version(tmp_path, replace(facts_of(130), source="0xother"), rows, short)
    with pytest.raises(IndexCorrupt, match="rows of checkpoint 0"):
        append_version(tmp_path, facts_of(130), rows, short)
    assert segment_folders(tmp_path) == [folder]
    kept = (folder / "0.signs").read_bytes()
    (folder / "0.signs").write_bytes(kept[:-8])
    with pytest.raises(IndexCorrupt, match=r"bytes of 0\.signs"):
        open_index(tmp_path)
    (folder / "0.signs").unlink()
    with pytest.raises(IndexCorrupt, match=r"bytes of 0\.signs"):
        open_index(tmp_path)
    (folder / "0.signs").write_bytes(kept)
    (folder / "segment.json").write_bytes(facts_of(130).encode().replace(b'"width":72', b'"width":99999999'))
    with pytest.raises(IndexCorrupt, match="facts"):
        open_index(tmp_path)
    folder.rename(tmp_path / "00000001")
    with pytest.raises(IndexCorrupt, match="segments"):
        open_index(tmp_path)


def test_an_interrupted_version_is_not_there_and_can_be_written_again(tmp_path: Path) -> None:
    """SPEC 5.103"""
    points = random_points(1, 200)

    def interrupted() -> Iterator[Codes]:
        yield Codes(points[1].bits[:150], points[1].magnitude[:150])
        raise KeyboardInterrupt

    rows = np.arange(200, dtype=np.uint32)
    with pytest.raises(KeyboardInterrupt):
        append_version(tmp_path, facts_of(200), rows, [[points[0]], interrupted()])
    assert segment_folders(tmp_path) == []
    append(tmp_path, points)
    assert [folder.name for folder in segment_folders(tmp_path)] == ["00000000"]
