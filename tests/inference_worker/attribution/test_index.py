from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from inference_worker.attribution import point_codes
from inference_worker.attribution.array_file import decode_arrays, encode_arrays
from inference_worker.attribution.build import (
    Covariance,
    TrainingPoint,
    build_index,
    draw_decoys,
    units_of_work,
)
from inference_worker.attribution.gradients import PREFIX
from inference_worker.attribution.index import AttributionIndex, IndexFacts, decode_head, encode_head
from inference_worker.attribution.index_cost import index_cost
from inference_worker.attribution.index_files import IndexFiles
from inference_worker.attribution.index_store import fetch_index, open_index, publish_index, store_index
from inference_worker.attribution.influence import InfluenceQuery, Ledger, gradient_units
from inference_worker.attribution.method import DECOYS
from inference_worker.base.exchange import Exchange, common_prefix
from inference_worker.base.load import Base, load_base
from inference_worker.blobs.node_blobs import NodeBlobs
from inference_worker.errors import IndexCorrupt, IndexTooLarge
from protocol.index_pages import MAX_SEGMENT_ROWS
from tests.inference_worker.attribution.random_adapter import random_adapter
from tests.inference_worker.blob_server import TOKEN, BlobServer

COUNT = 24
ROWS = [Exchange((1, 5, 6, 20 + n, 7), (40 + n, 60 + n % 5, 2)) for n in range(COUNT)]
UNITS = units_of_work(COUNT, 2)


class Killed(Exception):
    """The build's process is gone."""


class Build:
    """Builds of one small index."""

    def __init__(self, base: Base, seed: int = 9) -> None:
        weights = random_adapter(base.model)
        self.base, self.done = base, list[int]()
        self.served = {
            f"{PREFIX}{p}.lora_{side}.weight": t
            for side, named in (("A", weights.a), ("B", weights.b))
            for p, t in named.items()
        }
        names = tuple(f"{PREFIX}{path}.lora_{side}.weight" for path in weights.modules() for side in "AB")
        shapes = tuple((self.served[n].shape[0], self.served[n].shape[1]) for n in names)
        moments = {name: torch.full_like(t, 1e-4) for name, t in self.served.items()}
        self.points = [TrainingPoint(self.served, moments, rate) for rate in (0.001, 0.0005)]
        self.facts = IndexFacts(
            base.fingerprint, base.tokenizer_digest, "bafk", "0x", 4, 8, seed, common_prefix(ROWS), names,
            shapes, {"latin": 4},
        )  # fmt: skip

    def __call__(
        self,
        work: Path,
        kill_at: int | None = None,
        segment_rows: int = MAX_SEGMENT_ROWS,
        covariance: Covariance | None = None,
    ) -> AttributionIndex:
        self.done.clear()

        def on_batch(done: int) -> None:
            self.done.append(done)
            if kill_at is not None and done >= kill_at:
                raise Killed

        return build_index(
            self.base.model, self.facts, range(COUNT), ROWS, self.points, self.served, work, on_batch,
            segment_rows, covariance,
        )  # fmt: skip


@pytest.fixture(scope="module")
def whole(tiny_base_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index in three segments, built once; its CID is the text of `cid`."""
    work = tmp_path_factory.mktemp("whole")
    index = Build(load_base(tiny_base_dir, verify=False))(work, segment_rows=10)
    (work / "cid").write_text(cid_in(work, index))
    return work


@pytest.fixture
def files(whole: Path) -> IndexFiles:
    return IndexFiles(whole / "files")


@pytest.fixture
def index(whole: Path, files: IndexFiles) -> AttributionIndex:
    return open_index(files, (whole / "cid").read_text())


def cid_in(work: Path, index: AttributionIndex) -> str:
    return store_index(IndexFiles(work / "files"), index)


def test_an_index_is_a_function_of_its_inputs_and_survives_its_files(tiny_base: Base, tmp_path: Path) -> None:
    """SPEC 5.29"""
    build = Build(tiny_base)
    first, second = tmp_path / "1", tmp_path / "2"
    cid = cid_in(first, build(first))
    assert build.done == list(range(1, UNITS + 1))
    assert cid_in(second, build(second)) == cid
    assert cid_in(first, open_index(IndexFiles(first / "files"), cid)) == cid


def test_a_build_that_is_killed_again_and_again_ends_in_the_same_bytes(
    tiny_base: Base, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SPEC 5.128: it goes on after its last whole part, and computes no part twice."""
    monkeypatch.setattr(point_codes, "PART_BATCHES", 1)
    build, work = Build(tiny_base), tmp_path / "killed"
    kept: dict[str, int] = {}
    for kill_at in (1, 2, 4, 17, 20, UNITS // 2, UNITS - 1):
        with pytest.raises(Killed):
            build(work, kill_at)
        now = written(work)
        assert kept.items() <= now.items() and len(now) >= kill_at - 1
        kept = now
    assert cid_in(work, build(work)) == cid_in(tmp_path / "whole", Build(tiny_base)(tmp_path / "whole"))
    assert build.done[-1] == UNITS and kept.items() <= written(work).items()


def written(work: Path) -> dict[str, int]:
    """When each part was written."""
    return {p.name: p.stat().st_mtime_ns for p in (work / "parts").rglob("*") if p.is_file()}


def test_segments_hold_the_rows_in_order(whole: Path, index: AttributionIndex) -> None:
    """SPEC 5.102, 5.103: an index of several segments has every row once, with decoys beside them."""
    assert [segment.files.rows for segment in index.segments] == [10, 10, 4]
    assert index.rows.tolist() == list(range(COUNT)) and index.decoys.files.rows == DECOYS
    assert len(index.informative) == COUNT
    assert cid_in(whole, index) == (whole / "cid").read_text()


def test_the_files_take_what_was_said(files: IndexFiles, index: AttributionIndex) -> None:
    """SPEC 5.104: the columns to the byte, the head but for its facts."""
    columns = [sum(index.shape.columns(size).values()) for size in (DECOYS, 10, 10, 4)]
    assert sum(files.path(cid).stat().st_size for cid in index.files()) == sum(columns)
    one_segment = sum(sum(index.shape.columns(size).values()) for size in (DECOYS, COUNT))
    said = index_cost(COUNT, 2, sum(a * b for a, b in index.facts.shapes)).index
    assert 0 <= len(encode_head(index.head)) + one_segment - said < 1 << 14


def test_without_room_nothing_is_computed(
    tiny_base: Base, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SPEC 5.104"""
    build = Build(tiny_base)
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 1000}))
    with pytest.raises(IndexTooLarge):
        build(tmp_path)
    assert build.done == []


def test_a_build_that_goes_on_needs_room_for_the_rest_alone(
    tiny_base: Base, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SPEC 5.128"""
    build = Build(tiny_base)
    index = build(tmp_path)
    needed = index_cost(COUNT, 2, sum(a * b for a, b in index.facts.shapes)).on_disk
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": needed - 1}))
    assert build(tmp_path).facts == index.facts


def test_an_index_is_fetched_once_and_opened_from_disk(
    tmp_path: Path, node: BlobServer, whole: Path, files: IndexFiles
) -> None:
    """SPEC 5.127: every file from the node, then none."""
    cid, blobs = (whole / "cid").read_text(), NodeBlobs(node.socket, TOKEN)
    publish_index(files, cid, blobs)
    assert fetch_index(IndexFiles(tmp_path / "kept"), cid, blobs).rows == COUNT
    node.blobs.clear()
    kept = IndexFiles(tmp_path / "kept")
    fetch_index(kept, cid, blobs)
    assert store_index(kept, open_index(kept, cid)) == cid


def test_a_row_asked_for_itself_comes_first(tiny_base: Base, index: AttributionIndex) -> None:
    """SPEC 5.20, 5.22: through sketch, bits and int8, a row's own exchange still scores itself highest."""
    index.__dict__["informative"] = np.ones(COUNT, bool)
    query = InfluenceQuery(tiny_base.model, index)
    for row in (0, 7, 13, 22):
        code, ledger = query.code(ROWS[row])
        gained = Ledger(-90_000_000, 0, ledger.tokens)
        units = gradient_units(index, code, gained, np.arange(COUNT, dtype=np.uint32)).units
        assert code.digest() == query.code(ROWS[row])[0].digest()
        assert max(units, key=lambda pair: pair[1])[0] == row


def test_a_prompt_with_another_start_is_still_answered(tiny_base: Base, index: AttributionIndex) -> None:
    """SPEC 5.20"""
    code, ledger = InfluenceQuery(tiny_base.model, index).code(Exchange((9, 8, 7), (41, 2)))
    assert code.codes.any() and ledger.tokens == 2 and ledger.base < 0


def test_decoys_are_never_rows() -> None:
    """SPEC 5.24"""
    answers = {row.prompt: row.answer for row in ROWS}
    decoys = draw_decoys(ROWS, 5)
    assert decoys == draw_decoys(ROWS, 5) != draw_decoys(ROWS, 6)
    assert all(answers[decoy.prompt] != decoy.answer for decoy in decoys)
    assert draw_decoys([ROWS[0]] * 3, 5) == []


def test_damaged_heads_are_refused(index: AttributionIndex) -> None:
    """SPEC 5.29"""
    data = encode_head(index.head)
    assert encode_head(decode_head(data)) == data
    for bad in (b"", b"PICKLE" + data[6:], data[: len(data) // 2], data[:8] + b"\xff" * 8 + data[16:]):
        with pytest.raises(IndexCorrupt):
            decode_head(bad)


def test_an_index_whose_parts_are_of_others_is_refused(files: IndexFiles, index: AttributionIndex) -> None:
    """SPEC 5.106: a head of other checkpoints, rows that do not ascend, bytes that are no listing."""
    swapped = replace(index, segments=index.segments[::-1])
    with pytest.raises(IndexCorrupt, match="row numbers"):
        open_index(files, store_index(files, swapped))
    fewer = replace(index, head=replace(index.head, checkpoints=index.checkpoints[:1]))
    with pytest.raises(IndexCorrupt, match="checkpoints"):
        open_index(files, store_index(files, fewer))
    with pytest.raises(IndexCorrupt, match="listing"):
        open_index(files, files.put([b"{}"]))


def test_arrays_come_back_as_they_were() -> None:
    """SPEC 5.29"""
    arrays = {
        "a": np.arange(7, dtype=np.uint16),
        "b": np.ones((2, 3), dtype=np.float32),
        "c": np.zeros((0, 4), dtype=np.uint8),
    }
    facts, found = decode_arrays(encode_arrays({"v": 1}, arrays))
    assert facts == {"v": 1} and all(
        np.array_equal(found[n], arrays[n]) and not found[n].flags.writeable for n in arrays
    )
    with pytest.raises(IndexCorrupt):
        encode_arrays({}, {"o": np.array([object()])})
