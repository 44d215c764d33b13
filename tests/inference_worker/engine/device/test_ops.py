"""Each way to compute a step's parts against the definition in fp64, and against itself in other company."""

from dataclasses import replace
from functools import cache
from importlib.util import find_spec

import pytest
import torch

from inference_worker.adapters.packing import Layout, PackedAdapter, slices_of
from inference_worker.adapters.shape import GROUPS
from inference_worker.engine.device.blocks import Blocks
from inference_worker.engine.device.device_adapter import FIELDS, AdapterTensors, placed, tensors_of, view_of
from inference_worker.engine.device.ops import StepInputs, TorchOps
from inference_worker.engine.device.paged_kv import PagedKv
from inference_worker.engine.device.segments import segments_of, write_table
from inference_worker.engine.pages import PAGE_POSITIONS
from tests.inference_worker.adapters.peft_folders import shape
from tests.inference_worker.engine.device.on_device import needs_gpu, needs_triton
from tests.inference_worker.engine.device.test_device_adapter import random_adapter

WAYS = ["torch", pytest.param("triton", marks=needs_triton)]
SMALL = {"piece": 32, "inner": 16, "rank": 8, "out": 64, "cut": 32, "attend": 16, "gate": 64}
LAYER = 1
# Of the greatest value: sums of numbers around one in fp32, or rounded once to bf16.
TOLERANCE = {torch.float32: 1e-5, torch.bfloat16: 1e-2}


def ops_of(way, device, dtype=torch.float32, pool="float32", sizes=None, base=None, rows=64):
    if way == "torch":
        return TorchOps(base or shape(), device, dtype)
    from inference_worker.engine.device.triton_ops import TritonOps

    return TritonOps(base or shape(), device, dtype, pool, rows, Blocks(**(sizes or SMALL)))


def normal(*size, seed=0):
    return torch.randn(*size, generator=torch.Generator().manual_seed(seed))


def assert_near(actual, expected):
    assert actual.isfinite().all()
    bound = TOLERANCE[actual.dtype] * expected.abs().max()
    assert (actual.double().cpu() - expected.double().cpu()).abs().max() <= bound


LAYOUTS = {
    "rank 8, all": Layout(8, (0, 1, 2, 3)),
    "rank 16, attention, dora": Layout(16, (0, 1), True),
    "rank 64, mlp": Layout(64, (2, 3)),
    "rank 8, dora": Layout(8, (0, 2, 3), True),
}


def adapters_on(device, pool, names=LAYOUTS):
    made = []
    for seed, name in enumerate(names):
        tensors = tensors_of(random_adapter(LAYOUTS[name], seed), shape(), pool)
        made.append(placed(name, LAYOUTS[name], moved_to(device, tensors), shape()))
    return made


def moved_to(device, tensors):
    return AdapterTensors(*(None if tensor is None else tensor.to(device) for tensor in tensors))


def inputs_for(adapters, device, rows=None):
    """Inputs that hold nothing but who has which adapter."""
    rows = rows or len(adapters)
    order, table = torch.zeros(rows, dtype=torch.int64), torch.zeros(len(GROUPS), rows, FIELDS).long()
    segments = segments_of(adapters)
    write_table(segments, order, table)
    none = torch.zeros(rows, dtype=torch.int64, device=device)
    return StepInputs(none, none, none.unsqueeze(1), order.to(device), table.to(device), segments)


def naive_adapt(adapter, group, row, product):
    view = None if adapter is None else view_of(adapter, shape(), LAYER, group)
    if view is None:
        return product
    inner = view.down.double() @ row.double()
    inner = inner if view.scales is None else inner * view.scales.double()
    parts = inner.view(len(view.ups), -1)
    delta = torch.cat([part @ up.double() for part, up in zip(parts, view.ups, strict=True)])
    total = product.double() + delta
    return total if view.gain is None else total * view.gain.double()


def rows_and_products(count, group, device, dtype, seed=3):
    inputs = shape().dims(GROUPS[group][0])[0]
    outs = sum(shape().dims(module)[1] for module in GROUPS[group])
    rows, products = normal(count, inputs, seed=seed) / inputs**0.5, normal(count, outs, seed=seed + 1)
    return rows.to(device, dtype), products.to(device, dtype)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("pool", ["float32", "bfloat16", "int8"])
@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
def test_every_row_gets_its_own_adapter(device, way, pool, dtype):
    """SPEC 4.188, 4.189: ranks, modules and gains mixed; rows of the base, and unused ones, are left."""
    made = adapters_on(device, pool)
    chosen = [made[0], None, made[1], made[0], made[2], None, made[3], *[made[0]] * 9]
    inputs = inputs_for(chosen, device, len(chosen) + 2)
    ops = ops_of(way, device, dtype, pool)
    for group in range(len(GROUPS)):
        rows, products = rows_and_products(len(chosen) + 2, group, device, dtype)
        actual = products.clone()
        ops.adapt(LAYER, group, rows, actual, inputs)
        for row, adapter in enumerate([*chosen, None, None]):
            given = products[row]
            expected = naive_adapt(adapter, group, rows[row], given)
            if expected is given:
                assert torch.equal(actual[row], given)
            else:
                assert_near(actual[row], expected)


@needs_triton
def test_bits_of_an_adapted_row_depend_on_nothing_else(device):
    """SPEC 4.187: neither on its company nor on its place."""
    made = adapters_on(device, "float32")
    chosen = [made[0], made[3], *[made[0]] * 3, made[2], None, made[1]]
    for group in range(len(GROUPS)):
        rows, products = rows_and_products(len(chosen), group, device, torch.float32)
        together, alone = products.clone(), products.clone()
        ops_of("triton", device).adapt(LAYER, group, rows, together, inputs_for(chosen, device))
        for row, adapter in enumerate(chosen):
            mine = slice(row, row + 1)
            ops_of("triton", device).adapt(
                LAYER, group, rows[mine], alone[mine], inputs_for([adapter], device)
            )
        assert torch.equal(together, alone)


# The interpreter is numpy's, which warns of them.
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_row_that_is_not_finite_stays_alone(device, way, value):
    """SPEC 4.17, 4.188: also among rows of the same adapter."""
    made = adapters_on(device, "float32")
    chosen = [made[0], made[0], made[3], None]
    inputs, ops = inputs_for(chosen, device), ops_of(way, device)
    rows, products = rows_and_products(4, 0, device, torch.float32)
    expected, actual = products.clone(), products.clone()
    ops.adapt(LAYER, 0, rows, expected, inputs)
    rows[1, 5] = value
    ops.adapt(LAYER, 0, rows, actual, inputs)
    assert torch.equal(actual[[0, 2, 3]], expected[[0, 2, 3]]) and not actual[1].isfinite().all()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
def test_norm_adds_and_scales(device, way, dtype):
    """SPEC 4.188"""
    hidden, gain = normal(3, shape().hidden), normal(shape().hidden, seed=1)
    delta = normal(3, shape().hidden, seed=2).to(dtype)
    for added in (None, delta):
        given = hidden.clone().to(device)
        out = ops_of(way, device, dtype).norm(
            given, None if added is None else added.to(device), gain.to(device)
        )
        total = hidden.double() if added is None else hidden.double() + added.double()
        assert_near(given, total)
        assert_near(out, total / (total.pow(2).mean(1, keepdim=True) + shape().eps).sqrt() * gain.double())
        assert out.dtype == dtype


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
def test_gate_is_silu_of_one_half_times_the_other(device, way, dtype):
    """SPEC 4.188"""
    both = (normal(3, 2 * shape().intermediate) * 8).to(device, dtype)
    left, right = both.double().chunk(2, dim=1)
    assert_near(ops_of(way, device, dtype).gate(both), left / (1 + (-left).exp()) * right)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
def test_heads_are_turned_by_their_positions_and_stored_in_their_slots(device, way, dtype):
    """SPEC 4.188: as complex numbers turned by position times frequency."""
    base = shape()
    positions, slots = torch.tensor([0, 7, 300]), torch.tensor([16, 33, 40])
    width = (base.heads + 2 * base.kv_heads) * base.head_dim
    fused = normal(3, width).to(device, dtype)
    kv = PagedKv(base, 3, device, dtype)
    queries = ops_of(way, device, dtype).rotate_and_store(
        fused, positions.to(device), slots.to(device), kv, LAYER
    )
    heads = fused.double().cpu().view(3, -1, base.head_dim)
    half = base.head_dim // 2
    frequencies = base.rope_theta ** (-torch.arange(half).double() / half)
    turn = torch.polar(torch.ones(3, half).double(), positions.unsqueeze(1) * frequencies).unsqueeze(1)
    turned = torch.view_as_complex(heads.view(3, -1, 2, half).transpose(2, 3).contiguous()) * turn
    turned = torch.view_as_real(turned).transpose(2, 3).reshape(3, -1, base.head_dim)
    assert_near(queries, turned[:, : base.heads])
    assert_near(kv.keys[LAYER, slots.to(device)], turned[:, base.heads : base.heads + base.kv_heads])
    assert torch.equal(kv.values[LAYER, slots.to(device)].double().cpu(), heads[:, -base.kv_heads :])
    assert kv.keys[LAYER].count_nonzero() == 3 * base.kv_heads * base.head_dim
    assert not kv.keys[0].any() and not kv.values[2].any()


def paged(lengths, device, dtype, base=None, filler=float("nan")):
    """Random queries, and keys and values in shuffled pages; all that is in no sequence is `filler`."""
    base = base or shape()
    counts = [-(-length // PAGE_POSITIONS) for length in lengths]
    kv = PagedKv(base, sum(counts) + 1, device, dtype)
    kv.keys.fill_(filler), kv.values.fill_(filler)
    order = (torch.randperm(sum(counts), generator=torch.Generator().manual_seed(4)) + 1).tolist()
    pages, first = torch.zeros(len(lengths), max(counts) + 2, dtype=torch.int64), 0
    for row, (length, count) in enumerate(zip(lengths, counts, strict=True)):
        pages[row, :count] = torch.tensor(order[first : first + count])
        first += count
        places = torch.arange(length)
        slots = pages[row, places // PAGE_POSITIONS] * PAGE_POSITIONS + places % PAGE_POSITIONS
        for seed, target in enumerate((kv.keys, kv.values)):
            filled = normal(length, base.kv_heads, base.head_dim, seed=10 * row + seed)
            target[LAYER, slots.to(device)] = filled.to(device, dtype)
    positions = torch.tensor(lengths) - 1
    queries = normal(len(lengths), base.heads, base.head_dim, seed=9).to(device, dtype)
    inputs = StepInputs(positions, positions.to(device), pages.to(device), positions, positions)
    return queries, kv, inputs


def naive_attention(queries, kv, inputs, base):
    rows = []
    for row, position in enumerate(inputs.positions.tolist()):
        places = torch.arange(position + 1)
        slots = inputs.pages[row].cpu()[places // PAGE_POSITIONS] * PAGE_POSITIONS + places % PAGE_POSITIONS
        keys, values = (t[LAYER].cpu()[slots].double() for t in (kv.keys, kv.values))
        group = base.heads // base.kv_heads
        for head in range(base.heads):
            scores = keys[:, head // group] @ queries[row, head].double().cpu() / base.head_dim**0.5
            rows.append(scores.softmax(0) @ values[:, head // group])
    return torch.stack(rows).view(len(queries), -1)


LENGTHS = [1, 15, 16, 17, 31, 32, 33, 70]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
def test_attention_reads_a_sequences_own_positions_and_no_other(device, way, dtype):
    """SPEC 4.188, 4.191: everything else in memory is NaN."""
    queries, kv, inputs = paged(LENGTHS, device, dtype)
    actual = ops_of(way, device, dtype).attend(queries, kv, inputs, LAYER)
    assert_near(actual, naive_attention(queries, kv, inputs, shape()))


@needs_triton
def test_bits_of_attention_depend_on_nothing_else(device):
    """SPEC 4.187"""
    queries, kv, inputs = paged(LENGTHS, device, torch.float32)
    ops = ops_of("triton", device)
    together = ops.attend(queries, kv, inputs, LAYER)
    for row, position in enumerate(inputs.positions.tolist()):
        mine, fewer = slice(row, row + 1), position // PAGE_POSITIONS + 1
        alone = replace(inputs, positions=inputs.positions[mine], pages=inputs.pages[mine, :fewer])
        assert torch.equal(ops.attend(queries[mine], kv, alone, LAYER), together[mine])


@needs_triton
def test_a_score_of_any_size_gives_finite_weights(device):
    """SPEC 4.188: where the exponential of a score would overflow, and where a cut weighs nothing."""
    queries, kv, inputs = paged([70], device, torch.float32)
    actual = ops_of("triton", device).attend(queries * 500, kv, inputs, LAYER)
    assert_near(actual, naive_attention(queries * 500, kv, inputs, shape()))


# From here on: what only a GPU can show. `SPEC 4.188` for every block size, dtype and rank.
BIG = replace(shape(), hidden=1024, intermediate=2816, heads=16, kv_heads=4, head_dim=128, positions=4096)


@cache
def big_adapters(rank, pool, device):
    made = []
    for number in range(4):
        layout = Layout(rank, (0, 1, 2, 3), number % 2 == 0)
        blob = normal(slices_of(layout, BIG)[1], seed=number) / rank**0.5
        tensors = tensors_of(PackedAdapter(str(number), layout, blob), BIG, pool)
        made.append(placed(str(number), layout, moved_to(device, tensors), BIG))
    return made


@needs_gpu
@pytest.mark.parametrize(("piece", "out"), [(64, 32), (256, 64), (256, 128), (1024, 128), (256, 256)])
@pytest.mark.parametrize("rank", [8, 16, 64, 128])
@pytest.mark.parametrize("pool", ["float32", "bfloat16", "int8"])
@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
def test_no_block_size_gives_nan_or_another_result(piece, out, rank, pool, dtype):
    """SPEC 4.188: the adapters' kernels on a GPU, compiled, against the reference."""
    device = torch.device("cuda")
    made = big_adapters(rank, pool, device)
    chosen = [made[i % 5] if i % 5 < 4 else None for i in range(64)]
    inputs = inputs_for(chosen, device)
    sizes = {"piece": piece, "out": out, "inner": 16 if piece > 64 else 32}
    reference = ops_of("torch", device, dtype, base=BIG)
    compiled = ops_of("triton", device, dtype, pool, sizes, BIG)
    for group in range(len(GROUPS)):
        width = BIG.dims(GROUPS[group][0])[0]
        outs = sum(BIG.dims(module)[1] for module in GROUPS[group])
        rows = (normal(64, width, seed=7) / width**0.5).to(device, dtype)
        products = normal(64, outs, seed=8).to(device, dtype)
        expected, actual = products.clone(), products.clone()
        reference.adapt(LAYER, group, rows, expected, inputs)
        compiled.adapt(LAYER, group, rows, actual, inputs)
        assert actual.isfinite().all()
        assert (actual.float() - expected.float()).abs().max() <= 4 * TOLERANCE[dtype] * expected.abs().max()


@needs_gpu
@pytest.mark.parametrize("cut", [64, 256, 1024])
@pytest.mark.parametrize("attend", [16, 32, 64, 128])
@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
def test_no_cut_of_positions_gives_nan_or_another_result(cut, attend, dtype):
    """SPEC 4.188: attention on a GPU, compiled, against the definition."""
    if attend > cut:
        pytest.skip("a block is never larger than its cut")
    if dtype == torch.float32 and attend == 128:
        pytest.skip("a block of 128 in fp32 outgrows a multiprocessor's shared memory")
    device = torch.device("cuda")
    queries, kv, inputs = paged([1, 63, 64, 65, 700, 2048], device, dtype, BIG)
    compiled = ops_of("triton", device, dtype, sizes={"cut": cut, "attend": attend}, base=BIG)
    assert_near(compiled.attend(queries, kv, inputs, LAYER), naive_attention(queries, kv, inputs, BIG))


def test_the_tests_of_kernels_are_not_skipped_unseen():
    """SPEC 4.188: where Triton is installed the interpreter's tests above ran, on a GPU or not."""
    assert find_spec("triton") is None or needs_triton.args[0] is False
