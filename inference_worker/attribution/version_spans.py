"""The span index of one dataset version, from the worker's folder of shards, with its cost said before."""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from inference_worker.attribution.shard_folder import Built, ShardFolder, SpanRow, TokensOf, memory_shards

log = structlog.get_logger()


def version_spans(folder: ShardFolder | None, rows: Sequence[SpanRow], tokens_of: TokensOf) -> Built:
    """The index of these rows, by ascending index; without a folder all of it is in memory.

    Raises SpanIndexTooLarge, OSError.
    """
    if folder is None:
        return Built(memory_shards(rows, tokens_of), frozenset())
    plan = folder.plan(rows)
    cost = folder.cost(plan, tokens_of)
    log.info(
        "span_index_building",
        rows=len(plan.missing) + len(plan.gated),
        shards_reused=len(plan.reused),
        disk_bytes=cost.disk_bytes,
        memory_bytes=cost.memory_bytes,
        seconds=round(cost.seconds, 1),
    )
    return folder.build(plan, tokens_of, _say_progress)


def _say_progress(done: int, every: int) -> None:
    log.info("span_index_progress", rows=done, of=every)
