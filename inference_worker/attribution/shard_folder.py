"""The shards of one worker's span indexes on its disk: found again, built where missing, dropped when no
version needs them.

A version takes every shard whose rows it has all of, and only the rest is built: a new version adds shards
and leaves the old ones as they are. Each shard is whole on disk before the next is begun, so a build that
was cut short goes on where it stopped. Gated rows get shards that stay in memory.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from inference_worker.attribution.shard_file import (
    KEY_BYTES,
    PLACE_BYTES,
    SUFFIX,
    ShardFile,
    encode_shard,
    keys_of,
    read_shard,
    shard_name,
)
from inference_worker.attribution.suffix_index import SuffixIndex, VersionShard
from inference_worker.attribution.suffix_shard import CODE_BYTES, MAX_ALPHABET, MAX_SHARD_TOKENS, build_shard
from inference_worker.errors import IndexCorrupt

MAX_SMALL_SHARDS = 8
"""More shards than this below a quarter of the full size are built anew as one."""

BUILD_TOKENS_A_SECOND = 500_000
BUILD_BYTES_A_TOKEN = 100
SAMPLED_ROWS = 1000

TokensOf = Callable[[int], Sequence[int]]


@dataclass(frozen=True)
class SpanRow:
    """A row as a version has it: index in the manifest, 0x-hex digest, and whether it is gated."""

    index: int
    digest: str
    gated: bool


@dataclass(frozen=True)
class Plan:
    """Shards to take as they are, rows to put into new files, and rows to hold in memory."""

    reused: tuple[tuple[ShardFile, tuple[int, ...]], ...]
    missing: tuple[SpanRow, ...]
    gated: tuple[SpanRow, ...]


@dataclass(frozen=True)
class Cost:
    """What a build will take, about: of disk, of memory at its peak, and of one core's time."""

    disk_bytes: int
    memory_bytes: int
    seconds: float


@dataclass(frozen=True)
class Built:
    """A version's index and the names of the files it is mapped from."""

    index: SuffixIndex
    files: frozenset[str]


class ShardFolder:
    """One folder and one tokenizer; a single process builds in it at a time."""

    def __init__(self, folder: Path, tokenizer_digest: str) -> None:
        self._folder = folder
        self._tokenizer = tokenizer_digest
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for torn in folder.glob("*.part"):
            torn.unlink()

    def plan(self, rows: Sequence[SpanRow]) -> Plan:
        """What a version of these rows (by ascending index) finds on disk and what it lacks."""
        by_key = {keys_of([row.digest]).tobytes(): row for row in rows if not row.gated}
        reused = []
        for kept in sorted(self._readable(), key=lambda file: (-file.shard.rows, file.path.name)):
            mine = [by_key.get(key.tobytes()) for key in kept.keys]
            have = [row for row in mine if row is not None]
            if len(have) == len(mine) and self._named(have) == kept.path:
                reused.append((kept, tuple(row.index for row in have)))
                for row in have:
                    del by_key[keys_of([row.digest]).tobytes()]
        small = [one for one in reused if one[0].shard.tokens < MAX_SHARD_TOKENS // 4]
        if len(small) > MAX_SMALL_SHARDS:
            reused = [one for one in reused if one not in small]
        taken = {index for _, indexes in reused for index in indexes}
        missing = tuple(row for row in rows if not row.gated and row.index not in taken)
        return Plan(tuple(reused), missing, tuple(row for row in rows if row.gated))

    def cost(self, plan: Plan, tokens_of: TokensOf) -> Cost:
        """The cost of what a plan lacks, from the lengths of SAMPLED_ROWS rows at most."""
        rows = plan.missing + plan.gated
        sample = rows[:: -(-len(rows) // SAMPLED_ROWS) or 1]
        mean = sum(len(tokens_of(row.index)) for row in sample) / len(sample) if sample else 0.0
        tokens = round(mean * len(rows))
        on_disk = round(mean * len(plan.missing)) * (CODE_BYTES + PLACE_BYTES)
        on_disk += len(plan.missing) * (CODE_BYTES + KEY_BYTES)
        held = (tokens - round(mean * len(plan.missing))) * (CODE_BYTES + PLACE_BYTES)
        building = min(tokens, MAX_SHARD_TOKENS) * BUILD_BYTES_A_TOKEN
        return Cost(on_disk, held + building, tokens / BUILD_TOKENS_A_SECOND)

    def build(self, plan: Plan, tokens_of: TokensOf, progress: Callable[[int, int], None]) -> Built:
        """The index of the version, every missing shard built and kept.

        `progress(done, all)` counts rows of new shards, after each shard. Raises SpanIndexTooLarge, OSError.
        """
        shards = [VersionShard(kept.shard, indexes) for kept, indexes in plan.reused]
        files = {kept.path.name for kept, _ in plan.reused}
        every, done = len(plan.missing) + len(plan.gated), 0
        for rows, keep in ((plan.missing, True), (plan.gated, False)):
            for group, tokens in _groups(rows, tokens_of):
                shard = build_shard(tokens)
                if keep:
                    path = self._named(group)
                    self._write(path, encode_shard(shard, [row.digest for row in group]))
                    shard = read_shard(path).shard
                    files.add(path.name)
                shards.append(VersionShard(shard, tuple(row.index for row in group)))
                done += len(group)
                progress(done, every)
        return Built(SuffixIndex(tuple(shards)), frozenset(files))

    def forget_but(self, keep: Collection[str]) -> tuple[str, ...]:
        """Delete every shard but these; returns the names of the deleted ones. Mapped ones stay readable."""
        gone = tuple(path.name for path in self._files() if path.name not in keep)
        for name in gone:
            (self._folder / name).unlink()
        return gone

    def _named(self, rows: Sequence[SpanRow]) -> Path:
        return self._folder / shard_name(self._tokenizer, [row.digest for row in rows])

    def _files(self) -> list[Path]:
        return sorted(self._folder.glob(f"*{SUFFIX}"))

    def _readable(self) -> Iterator[ShardFile]:
        """The shards on disk; one that is not as it was written is deleted, and so built anew."""
        for path in self._files():
            try:
                yield read_shard(path)
            except IndexCorrupt:
                path.unlink()

    def _write(self, path: Path, data: bytes) -> None:
        aside = path.with_suffix(".part")
        descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as sink:
            sink.write(data)
            sink.flush()
            os.fsync(sink.fileno())
        os.replace(aside, path)
        folder = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def memory_shards(rows: Sequence[SpanRow], tokens_of: TokensOf) -> SuffixIndex:
    """The index of these rows with nothing on disk."""
    shards = (
        VersionShard(build_shard(tokens), tuple(row.index for row in group))
        for group, tokens in _groups(rows, tokens_of)
    )
    return SuffixIndex(tuple(shards))


def _groups(
    rows: Sequence[SpanRow], tokens_of: TokensOf
) -> Iterator[tuple[list[SpanRow], list[Sequence[int]]]]:
    """Rows with their tokens in groups that fill a shard; a longer row is alone."""
    group: list[SpanRow] = []
    tokens: list[Sequence[int]] = []
    size, distinct = 0, set[int]()
    for row in rows:
        mine = tokens_of(row.index)
        size += len(mine) + 1
        distinct.update(mine)
        if group and (size > MAX_SHARD_TOKENS or len(distinct) > MAX_ALPHABET):
            yield group, tokens
            group, tokens, size, distinct = [], [], len(mine) + 1, set(mine)
        group.append(row)
        tokens.append(mine)
    if group:
        yield group, tokens
