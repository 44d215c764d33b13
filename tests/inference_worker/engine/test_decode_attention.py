"""Attention of a decode step: right, and blind to who else is in it."""

import random

import pytest
import torch

from inference_worker.engine.decode_attention import DecodeAttention
from inference_worker.engine.kv_cache import KvCache
from inference_worker.engine.kv_lanes import LanePool
from tests.inference_worker.adapters.peft_folders import shape

SIZE = shape()
# Both sides of every place where a sequence moves, and some between.
LENGTHS = (1, 2, 17, 31, 32, 33, 50, 63, 64, 65, 100, 127, 128, 129, 200, 255, 256, 257, 300)


def randoms(*size, seed):
    return torch.randn(*size, generator=torch.Generator().manual_seed(seed))


def cache_at(pool, length):
    """A sequence that is about to write its position `length`, counted from 1; the same for the same
    length."""
    cache = KvCache(pool, 400)
    if length > 1:
        cache.make_room(length - 1)
        for layer in range(SIZE.layers):
            cache.write(
                layer, randoms(length - 1, 2, SIZE.kv_heads, SIZE.head_dim, seed=length * 100 + layer)
            )
        cache.advance(length - 1)
    return cache


def inputs(lengths):
    queries = [randoms(1, SIZE.heads, SIZE.head_dim, seed=length) for length in lengths]
    both = [randoms(1, 2, SIZE.kv_heads, SIZE.head_dim, seed=-length) for length in lengths]
    return torch.cat(queries), torch.cat(both)


def mixed_of(pool, lengths):
    """By layer."""
    caches = [cache_at(pool, length) for length in lengths]
    attend, (queries, both) = DecodeAttention(caches), inputs(lengths)
    return torch.stack([attend(layer, queries, both) for layer in range(SIZE.layers)]), caches


@pytest.fixture(scope="module")
def alone():
    """The answer for each length in a step of its own."""
    return {length: mixed_of(LanePool(SIZE), [length])[0][:, 0] for length in LENGTHS}


@pytest.mark.parametrize("length", LENGTHS)
def test_it_is_attention(alone, length):
    """SPEC 4.12: in float64, written down apart."""
    queries, both = inputs([length])
    cache = cache_at(LanePool(SIZE), length)
    for layer in range(SIZE.layers):
        cache.make_room(1)
        keys, values = (part.double() for part in cache.write(layer, both))
        for head in range(SIZE.heads):
            shared = head // (SIZE.heads // SIZE.kv_heads)
            weights = torch.softmax(keys[shared] @ queries[0, head].double() / SIZE.head_dim**0.5, dim=0)
            assert (alone[length][layer, head] - weights @ values[shared]).abs().max() < 1e-5


@pytest.mark.parametrize("seed", range(12))
def test_bits_depend_on_the_own_length_alone(alone, seed):
    """SPEC 4.180: in batches of 1 to 70 rows of any lengths and order, with lanes between them that others
    hold or have left."""
    draw, pool = random.Random(seed), LanePool(SIZE)
    lengths = draw.choices(LENGTHS if seed % 3 else LENGTHS[:5], k=draw.choice((1, 2, 3, 8, 31, 33, 70)))
    others = [cache_at(pool, draw.choice(LENGTHS)) for _ in range(draw.randrange(60))]
    for other in others:
        other._room.fill_(float("nan"))
    draw.shuffle(others)
    del others[: len(others) // 2]
    mixed, _ = mixed_of(pool, lengths)
    for row, length in enumerate(lengths):
        assert torch.equal(mixed[:, row], alone[length]), (row, length)


def test_each_row_writes_its_own_position(alone):
    """SPEC 4.180: the step leaves in every cache what it left in it alone."""
    lengths = [33, 2, 32, 300, 64, 2, 31]
    _, both = inputs(lengths)
    _, caches = mixed_of(LanePool(SIZE), lengths)
    for row, (length, cache) in enumerate(zip(lengths, caches, strict=True)):
        cache.advance(1)
        written = cache.copy_out(length - 1, length).both[:, :, :, 0]
        assert torch.equal(written, both[row].expand_as(written))
        before = cache_at(LanePool(SIZE), length)
        if length > 1:
            assert torch.equal(cache.copy_out(0, length - 1).both, before.copy_out(0, length - 1).both)
