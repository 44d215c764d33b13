"""What is sent to the device for a step: after any steps before it, the same as if it were the first."""

import random

import torch

from inference_worker.adapters.packing import Layout
from inference_worker.engine.device.paged_kv import PagedCache, PagedKv
from inference_worker.engine.device.step_buffers import StepBuffers, StepRow
from tests.inference_worker.adapters.peft_folders import shape
from tests.inference_worker.engine.device.on_device import CPU
from tests.inference_worker.engine.device.test_device_adapter import on_cpu

ROWS, PAGES = 5, 6
ADAPTERS = [None, *(on_cpu(Layout(8, (0, 3)), "float32", seed, f"a{seed}") for seed in range(3))]


def new_row(kv, chance):
    cache = PagedCache(kv, 1000)
    cache.length = chance.randrange(40)
    cache.reserve(cache.length + 1)
    return StepRow(chance.randrange(100), cache, chance.choice(ADAPTERS))


def further(row, chance):
    row.cache.advance(1)
    row.cache.reserve(row.cache.length + 1)
    return StepRow(chance.randrange(100), row.cache, row.adapter)


def test_what_was_sent_before_leaves_no_trace():
    """SPEC 4.189, 4.191, 4.192"""
    chance, kv = random.Random(5), PagedKv(shape(), ROWS * PAGES, CPU, torch.float32)
    buffers, rows = StepBuffers(ROWS, PAGES, CPU), []
    for _ in range(120):
        for row in [r for r in rows if chance.random() < 0.2 or r.cache.length > 80]:
            row.cache.release()
            rows.remove(row)
        rows = [further(row, chance) for row in rows]
        while len(rows) < 1 or (len(rows) < ROWS and chance.random() < 0.4):
            rows.insert(chance.randint(0, len(rows)), new_row(kv, chance))
        fresh = StepBuffers(ROWS, PAGES, CPU)
        assert buffers.fill(rows) == fresh.fill(rows)
        actual, expected = buffers.inputs(ROWS, PAGES), fresh.inputs(ROWS, PAGES)
        count = len(rows)
        assert actual.tokens[:count].tolist() == [row.token for row in rows]
        assert actual.positions.tolist() == [*(r.cache.length for r in rows), *[0] * (ROWS - count)]
        assert torch.equal(actual.table, expected.table)
        adapted = sum(row.adapter is not None for row in rows)
        assert torch.equal(actual.order[:adapted], expected.order[:adapted])
        for place, row in enumerate(rows):
            assert actual.pages[place, : len(row.cache.pages)].tolist() == row.cache.pages
            slot = row.cache.slots(row.cache.length, row.cache.length + 1)
            assert actual.slots[place] == slot
        # Unused rows write to the page that is nobody's.
        assert not actual.pages[count:].any() and (actual.slots[count:] < 16).all()


def test_views_of_any_size_are_of_the_same_memory():
    """SPEC 4.192: what a captured step reads is where the next one is written."""
    buffers = StepBuffers(ROWS, PAGES, CPU)
    small, whole = buffers.inputs(2, 3), buffers.inputs(ROWS, PAGES)
    for name in ("tokens", "positions", "pages", "order", "table"):
        assert getattr(small, name).data_ptr() == getattr(whole, name).data_ptr()
