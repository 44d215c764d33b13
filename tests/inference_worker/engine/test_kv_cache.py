"""The memory of one sequence: it moves as the sequence grows, and only what is written costs."""

import mmap
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from inference_worker.engine.kv_cache import KvCache
from inference_worker.engine.kv_lanes import LANE_POSITIONS, LanePool
from tests.inference_worker.adapters.peft_folders import shape
from tests.inference_worker.engine.decoding import PROMPTS, greedy

WIDE = replace(shape(), layers=8, kv_heads=4, head_dim=64)


def filled(cache, positions, seed=0):
    generator, size = torch.Generator().manual_seed(seed), cache._pool.shape
    cache.make_room(positions)
    for layer in range(size.layers):
        rows = torch.randn(positions, 2, size.kv_heads, size.head_dim, generator=generator)
        cache.write(layer, rows)
    cache.advance(positions)
    return cache


def cache_of(capacity, of=None):
    return KvCache(LanePool(of or shape()), capacity)


def resident_bytes():
    return int(Path("/proc/self/statm").read_text().split()[1]) * mmap.PAGESIZE


def test_what_strangers_left_is_never_read(runner, adapters):
    """SPEC 4.17, 4.181: neither where they were before, nor in the lanes beside, where they still are."""
    batch = [(PROMPTS[i], adapters[i] if i % 2 else None) for i in range(4)]
    clean = greedy(runner, batch, 6)
    strangers = [filled(runner.new_cache(300), positions) for positions in (20, 50, 20, 100, 20, 200, 50)]
    for stranger in strangers:
        stranger._room.fill_(float("nan"))
    del strangers[::2]
    assert all(torch.equal(a, b) for a, b in zip(greedy(runner, batch, 6), clean, strict=True))


@pytest.mark.parametrize("step", [1, 7, 100])
def test_a_sequence_keeps_its_positions_as_it_moves(step):
    """SPEC 4.181: through lanes of every length and beyond them."""
    cache, pool = cache_of(600), LanePool(shape())
    pieces = [filled(KvCache(pool, step), step, seed).copy_out(0, step) for seed in range(600 // step)]
    places = set()
    for piece in pieces:
        cache.copy_in(piece)
        places.add(cache.lane.slab.positions if cache.lane else None)
    expected = torch.cat([piece.both for piece in pieces], dim=3)
    assert torch.equal(cache.copy_out(0, cache.length).both, expected)
    assert places >= {None, LANE_POSITIONS[-1]} and (step > 32 or places == {*LANE_POSITIONS, None})


@pytest.mark.parametrize("positions", [1, 32, 33, 64, 65, 128, 256, 257, 400])
@pytest.mark.parametrize("first", [1, 40, 256])
def test_the_place_depends_on_the_length_alone(positions, first):
    """SPEC 4.180: not on how the sequence came to it."""
    at_once, in_parts = filled(cache_of(500), positions), cache_of(700)
    if first < positions:
        filled(in_parts, first)
    filled(in_parts, positions - in_parts.length)
    assert [c.lane and c.lane.slab.positions for c in (at_once, in_parts)] == [
        next((length for length in LANE_POSITIONS if length >= positions), None)
    ] * 2


@pytest.mark.parametrize("cuts", [(5,), (3, 9), (1, 2, 16)])
def test_copied_pieces_are_the_positions_they_were(cuts):
    """SPEC 4.122"""
    source, target = filled(cache_of(20), 16), cache_of(30)
    for start, stop in zip((0, *cuts), cuts, strict=False):
        target.copy_in(source.copy_out(start, stop))
    assert target.length == cuts[-1]
    assert torch.equal(target.copy_out(0, cuts[-1]).both, source._room[:, :, :, : cuts[-1]])


def test_a_piece_does_not_change_with_the_sequence_it_came_from():
    """SPEC 4.122"""
    cache = filled(cache_of(20), 8)
    piece = cache.copy_out(0, 8)
    before = piece.both.clone()
    cache._room.fill_(float("nan"))
    assert torch.equal(piece.both, before)


def test_memory_follows_what_is_written():
    """SPEC 4.120: room for 8,192 positions costs what its filled positions cost, and all comes back."""
    before = resident_bytes()
    cache = cache_of(8192, WIDE)
    filled(cache, 32)
    assert resident_bytes() - before < 8 * 2**20
    for _ in range(63):
        filled(cache, 32)
    written = 2048 * 2 * 4 * WIDE.layers * WIDE.kv_heads * WIDE.head_dim
    assert abs(resident_bytes() - before - written) < 0.1 * written
    del cache
    assert resident_bytes() - before < 0.1 * written


def test_lanes_cost_what_is_written_in_them_and_give_it_back():
    """SPEC 4.120, 4.181: while the slab goes on."""
    pool, before = LanePool(WIDE), resident_bytes()
    caches = [filled(KvCache(pool, 256), 144) for _ in range(24)]
    written = 24 * 144 * 2 * 4 * WIDE.layers * WIDE.kv_heads * WIDE.head_dim
    assert abs(resident_bytes() - before - written) < 0.1 * written
    del caches
    assert resident_bytes() - before < 0.1 * written


def test_more_than_the_room_is_refused():
    """SPEC 4.120"""
    cache = filled(cache_of(4), 4)
    with pytest.raises(AssertionError):
        filled(cache, 1)
