"""The memory of one sequence: what lies beyond its length is never read, and only what is written costs."""

import mmap
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from inference_worker.engine.kv_cache import KvCache
from tests.inference_worker.adapters.peft_folders import shape
from tests.inference_worker.engine.decoding import PROMPTS, greedy

WIDE = replace(shape(), layers=8, kv_heads=4, head_dim=64)


def filled(cache, positions, seed=0):
    generator = torch.Generator().manual_seed(seed)
    for layer in range(cache._keys.shape[0]):
        rows = torch.randn(positions, cache._keys.shape[1], cache._keys.shape[3], generator=generator)
        cache.write(layer, rows, -rows)
    cache.advance(positions)
    return cache


def resident_bytes():
    return int(Path("/proc/self/statm").read_text().split()[1]) * mmap.PAGESIZE


def test_what_lies_beyond_the_length_is_never_read(runner, adapters, monkeypatch):
    """SPEC 4.17: as if every position had held a stranger's NaN before."""
    batch = [(PROMPTS[i], adapters[i] if i % 2 else None) for i in range(4)]
    clean = greedy(runner, batch, 6)
    real = runner.new_cache

    def poisoned(capacity):
        cache = real(capacity)
        cache._keys.fill_(float("nan"))
        cache._values.fill_(float("nan"))
        return cache

    monkeypatch.setattr(runner, "new_cache", poisoned)
    assert all(torch.equal(a, b) for a, b in zip(greedy(runner, batch, 6), clean, strict=True))


@pytest.mark.parametrize("cuts", [(5,), (3, 9), (1, 2, 16)])
def test_copied_pieces_are_the_positions_they_were(cuts):
    """SPEC 4.122"""
    source, target = filled(KvCache(shape(), 20), 16), KvCache(shape(), 30)
    target._keys.fill_(float("nan"))
    for start, stop in zip((0, *cuts), cuts, strict=False):
        target.copy_in(source.copy_out(start, stop))
    assert target.length == cuts[-1]
    for ours, theirs in ((target._keys, source._keys), (target._values, source._values)):
        assert torch.equal(ours[:, :, : cuts[-1]], theirs[:, :, : cuts[-1]])


def test_a_piece_does_not_change_with_the_sequence_it_came_from():
    """SPEC 4.122"""
    cache = filled(KvCache(shape(), 20), 8)
    piece = cache.copy_out(0, 8)
    before = piece.keys.clone()
    cache._keys.fill_(float("nan"))
    assert torch.equal(piece.keys, before)


def test_memory_follows_what_is_written():
    """SPEC 4.120: room for 8,192 positions costs what its filled positions cost, and all comes back."""
    before = resident_bytes()
    cache = KvCache(WIDE, 8192)
    filled(cache, 32)
    assert resident_bytes() - before < 8 * 2**20
    for _ in range(63):
        filled(cache, 32)
    written = 2048 * 2 * 4 * WIDE.layers * WIDE.kv_heads * WIDE.head_dim
    assert abs(resident_bytes() - before - written) < 0.1 * written
    del cache
    assert resident_bytes() - before < 0.1 * written


def test_more_than_the_room_is_refused():
    """SPEC 4.120"""
    cache = filled(KvCache(shape(), 4), 4)
    with pytest.raises(AssertionError):
        filled(cache, 1)
