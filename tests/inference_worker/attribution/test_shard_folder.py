from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from inference_worker.attribution import shard_folder
from inference_worker.attribution.array_file import decode_arrays
from inference_worker.attribution.shard_file import FORMAT, read_shard
from inference_worker.attribution.shard_folder import Built, ShardFolder, SpanRow
from inference_worker.attribution.spans import SpanIndex, TokenRow
from inference_worker.errors import IndexCorrupt
from protocol.spans import cover

Rows = dict[str, tuple[int, ...]]


def some_rows(seed: int, count: int) -> Rows:
    """Token rows by their digests, as a manifest orders them."""
    drawn = np.random.default_rng(seed)
    found = [tuple(drawn.integers(0, 9, drawn.integers(1, 12)).tolist()) for _ in range(count)]
    return {f"0x{sha256(f'{seed} {n}'.encode()).hexdigest()}": row for n, row in enumerate(found)}


def version(rows: Rows, gated: Sequence[str] = ()) -> tuple[list[SpanRow], list[tuple[int, ...]]]:
    ordered = sorted(rows)
    return [SpanRow(n, d, d in gated) for n, d in enumerate(ordered)], [rows[d] for d in ordered]


def built(folder: ShardFolder, rows: Rows, gated: Sequence[str] = ()) -> tuple[Built, list[tuple[int, int]]]:
    places, tokens = version(rows, gated)
    steps: list[tuple[int, int]] = []
    made = folder.build(
        folder.plan(places), tokens.__getitem__, lambda done, every: steps.append((done, every))
    )
    return made, steps


def assert_same_covers(made: Built, rows: Rows) -> None:
    _, tokens = version(rows)
    naive = SpanIndex([TokenRow(n, row) for n, row in enumerate(tokens)])
    for seed in range(5):
        output = np.random.default_rng(seed).integers(0, 10, 40).tolist()
        assert cover(made.index.leading_matches(output)) == cover(naive.maximal_matches(output))


@pytest.fixture(autouse=True)
def _small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shard_folder, "MAX_SHARD_TOKENS", 100)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_new_version_adds_shards_and_leaves_the_old_ones(tmp_path: Path) -> None:
    """SPEC 5.111, 5.114"""
    folder = ShardFolder(tmp_path, "tokenizer")
    first, second = some_rows(1, 60), some_rows(1, 60) | some_rows(2, 9)
    built(folder, first)
    before = contents(tmp_path)
    made, steps = built(folder, second)
    after = contents(tmp_path)
    assert steps == [(9, 9)] and len(before) > 3
    assert len(after) == len(before) + 1 and before.items() <= after.items()
    assert_same_covers(made, second)
    again, steps = built(folder, first)
    assert steps == [] and again.files == set(before)
    assert_same_covers(again, first)


def test_equal_rows_make_equal_files(tmp_path: Path) -> None:
    """SPEC 5.112"""
    for name in "ab":
        built(ShardFolder(tmp_path / name, "tokenizer"), some_rows(3, 50))
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    built(ShardFolder(tmp_path / "c", "another"), some_rows(3, 50))
    assert contents(tmp_path / "a").keys().isdisjoint(contents(tmp_path / "c"))


def test_a_build_goes_on_where_it_stopped(tmp_path: Path) -> None:
    """SPEC 5.115"""
    rows = some_rows(4, 80)
    places, tokens = version(rows)
    folder = ShardFolder(tmp_path / "cut", "tokenizer")

    def stop(done: int, every: int) -> None:
        if done > every // 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        folder.build(folder.plan(places), tokens.__getitem__, stop)
    (tmp_path / "cut" / "torn.part").write_bytes(b"half")
    left = ShardFolder(tmp_path / "cut", "tokenizer")
    assert 0 < len(left.plan(places).missing) <= len(places) // 2
    made, steps = built(left, rows)
    built(ShardFolder(tmp_path / "whole", "tokenizer"), rows)
    assert contents(tmp_path / "cut") == contents(tmp_path / "whole")
    assert steps[-1][0] == steps[-1][1] < len(rows)
    assert_same_covers(made, rows)


def test_no_token_of_a_gated_row_is_in_a_file(tmp_path: Path) -> None:
    """SPEC 5.116"""
    rows = some_rows(5, 40)
    gated = sorted(rows)[::3]
    made, _ = built(ShardFolder(tmp_path / "all", "tokenizer"), rows, gated)
    assert_same_covers(made, rows)
    built(ShardFolder(tmp_path / "open", "tokenizer"), {d: r for d, r in rows.items() if d not in gated})
    assert contents(tmp_path / "all") == contents(tmp_path / "open")


def test_a_shard_of_a_row_that_is_gone_is_not_used_and_can_be_forgotten(tmp_path: Path) -> None:
    """SPEC 5.117"""
    folder, rows = ShardFolder(tmp_path, "tokenizer"), some_rows(6, 60)
    old, _ = built(folder, rows)
    withdrawn = sorted(rows)[0]
    rest = {digest: row for digest, row in rows.items() if digest != withdrawn}
    made, _ = built(folder, rest)
    assert len(old.files - made.files) == 1
    assert set(folder.forget_but(made.files)) == old.files - made.files
    assert set(contents(tmp_path)) == made.files
    assert_same_covers(made, rest)
    assert_same_covers(old, rows)


@pytest.mark.parametrize("part", ["magic", "header", "text", "order", "alphabet", "keys"])
def test_a_changed_file_is_found_and_built_anew(tmp_path: Path, part: str) -> None:
    """SPEC 5.118"""
    folder, rows = ShardFolder(tmp_path, "tokenizer"), some_rows(7, 9)
    built(folder, rows)
    (path,) = tmp_path.iterdir()
    good = path.read_bytes()
    bad = bytearray(good)
    facts, arrays = decode_arrays(good)
    places = {name: good.index(array.tobytes()) for name, array in arrays.items()}
    bad[{"magic": 0, "header": good.index(FORMAT.encode())}.get(part, places.get(part, -1))] ^= 1
    assert facts["format"] == FORMAT
    path.write_bytes(bad)
    with pytest.raises(IndexCorrupt):
        read_shard(path)
    made, steps = built(folder, rows)
    assert steps == [(9, 9)] and path.read_bytes() == good
    assert_same_covers(made, rows)


def test_many_small_shards_become_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SPEC 5.114"""
    monkeypatch.setattr(shard_folder, "MAX_SHARD_TOKENS", 10_000)
    folder, rows = ShardFolder(tmp_path, "tokenizer"), Rows()
    counts = []
    for seed in range(shard_folder.MAX_SMALL_SHARDS + 2):
        rows |= some_rows(seed, 3)
        made, _ = built(folder, rows)
        counts.append(len(made.files))
    assert counts == [*range(1, shard_folder.MAX_SMALL_SHARDS + 2), 1]
    assert_same_covers(made, rows)


def test_the_cost_is_known_before(tmp_path: Path) -> None:
    """SPEC 5.119"""
    folder, rows = ShardFolder(tmp_path, "tokenizer"), some_rows(8, 300)
    places, tokens = version(rows)
    plan = folder.plan(places)
    cost = folder.cost(plan, tokens.__getitem__)
    made = folder.build(plan, tokens.__getitem__, lambda done, every: None)
    heads = 1024 * len(made.files)
    taken = sum(len(data) for data in contents(tmp_path).values())
    assert cost.disk_bytes <= taken <= cost.disk_bytes + heads and cost.seconds > 0
    assert folder.cost(folder.plan(places), tokens.__getitem__).disk_bytes == 0
