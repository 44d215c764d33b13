"""Pages of keys and values."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from inference_worker.engine.device.paged_kv import PagedCache, PagedKv, PagesGone
from inference_worker.engine.pages import PAGE_POSITIONS, pages_for
from tests.inference_worker.adapters.peft_folders import shape
from tests.inference_worker.engine.device.on_device import CPU

PAGES = 24


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 60)), max_size=40))
def test_no_page_is_had_twice_or_lost(steps):
    """SPEC 4.191"""
    kv = PagedKv(shape(), PAGES, CPU, torch.float32)
    caches = [PagedCache(kv, 1000) for _ in range(6)]
    for index, positions in steps:
        before = list(caches[index].pages)
        try:
            caches[index].reserve(positions)
        except PagesGone:
            assert pages_for(positions) - len(before) > kv.free
            caches[index].release()
        assert caches[index].pages[: len(before)] in (before, [])
        had = [page for cache in caches for page in cache.pages]
        assert len(set(had)) == len(had) and 0 not in had
        assert len(had) + kv.free == PAGES


def filled(kv, positions, seed):
    cache = PagedCache(kv, 1000)
    cache.reserve(positions)
    generator = torch.Generator().manual_seed(seed)
    size = (shape().layers, positions, shape().kv_heads, shape().head_dim)
    keys, values = torch.randn(size, generator=generator), torch.randn(size, generator=generator)
    slots = cache.slots(0, positions)
    kv.keys[:, slots], kv.values[:, slots] = keys, values
    cache.advance(positions)
    return cache, keys, values


@pytest.mark.parametrize("cut", [PAGE_POSITIONS, 21, 40])
def test_pieces_hold_what_was_written_and_outlive_the_sequence(cut):
    """SPEC 4.191"""
    kv = PagedKv(shape(), PAGES, CPU, torch.float32)
    cache, keys, values = filled(kv, 45, 1)
    pieces = [cache.copy_out(0, cut), cache.copy_out(cut, 45)]
    cache.release()
    other, _, _ = filled(kv, 30, 2)
    again = PagedCache(kv, 1000)
    for piece in pieces:
        again.copy_in(piece)
    slots = again.slots(0, again.length)
    assert torch.equal(kv.keys[:, slots], keys) and torch.equal(kv.values[:, slots], values)
    del pieces, piece
    again.release()
    other.release()
    assert kv.free == PAGES
