"""The device's runner against the CPU's engine, and against itself in other company.

The same code runs on a GPU; here it runs on the CPU, over the reference and over Triton's interpreter.
"""

import random
import threading

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from inference_worker.adapters.quantised import for_pool
from inference_worker.engine.device.base_kernels import device_kernel
from inference_worker.engine.device.graphs import bucket_of, buckets_up_to
from inference_worker.engine.device.runner import DeviceLimits
from inference_worker.engine.linear import packing_works
from inference_worker.engine.scheduler import SchedulerLimits
from inference_worker.engine.sequence import Finished
from inference_worker.engine.weights import read_base
from tests.inference_worker.adapters.peft_folders import shape
from tests.inference_worker.adapters.peft_saved import saved_by_peft
from tests.inference_worker.engine.decoding import PROMPTS, greedy, load_adapter
from tests.inference_worker.engine.device.on_device import (
    LIMITS,
    needs_gpu,
    needs_triton,
    torch_runner,
    triton_runner,
)
from tests.inference_worker.engine.requests import running_engine, submit

STEPS = 8
TOLERANCE = 5e-4


@pytest.fixture(scope="module")
def dora(base_folder, base_rows, tmp_path_factory):
    saved = saved_by_peft(base_folder, tmp_path_factory.mktemp("dora"), 3, use_dora=True)
    return load_adapter("dora", saved, base_rows)


@pytest.fixture
def batch(adapters, dora):
    chosen = [*adapters[:4], None, dora, *adapters[4:5], adapters[0]]
    return list(zip(PROMPTS, chosen, strict=True))


def assert_close(actual, expected):
    assert (actual.cpu() - expected).abs().max() <= TOLERANCE
    assert actual.argmax(-1).tolist() == expected.argmax(-1).tolist()


def test_answers_are_those_of_the_cpus_engine(weights, runner, batch):
    """SPEC 4.186"""
    ours = greedy(torch_runner(weights), batch, STEPS)
    for actual, expected in zip(ours, greedy(runner, batch, STEPS), strict=True):
        assert_close(actual, expected)


@pytest.mark.parametrize("first", [1, 3])
def test_a_prompt_is_the_bases_up_to_where_its_adapter_begins(weights, runner, adapters, first):
    """SPEC 4.186: as an aLoRA adapter's is."""
    prompt, (device, cpu) = PROMPTS[4], (torch_runner(weights), runner)
    caches = [one.new_cache(64) for one in (device, cpu)]
    ours, theirs = (
        one.prefill(prompt, cache, adapters[0], first)
        for one, cache in zip((device, cpu), caches, strict=True)
    )
    assert_close(ours, theirs)
    assert not torch.allclose(ours, device.prefill(prompt, device.new_cache(64), adapters[0]), atol=1e-2)


@pytest.mark.parametrize("pool", ["bfloat16", "int8"])
def test_adapters_held_in_less_give_what_they_give_on_the_cpu(weights, runner, batch, pool):
    """SPEC 4.186, 4.193: also those that come in fp32, as ensembles do."""
    narrow = [(p, a and for_pool(a, shape(), pool)) for p, a in batch]
    expected = greedy(runner, narrow, STEPS)
    for given in (narrow, batch):
        for actual, wanted in zip(greedy(torch_runner(weights, pool), given, STEPS), expected, strict=True):
            assert_close(actual, wanted)


@needs_triton
def test_the_kernels_give_the_cpus_answers_too(base_folder, runner, device, batch):
    """SPEC 4.186"""
    few = [batch[3], batch[4], batch[5]]
    ours = greedy(triton_runner(base_folder, device, limits=DeviceLimits(3, 30, 4)), few, 2)
    for actual, expected in zip(ours, greedy(runner, few, 2), strict=True):
        assert_close(actual, expected)


@needs_triton
def test_a_base_in_bf16_stays_near_the_one_in_fp32(base_folder, runner, device, batch):
    """SPEC 4.186: within what bf16 rows and weights lose."""
    few = [batch[0], batch[4]]
    limits = DeviceLimits(2, 30, 4)
    ours = greedy(triton_runner(base_folder, device, "bfloat16", "bfloat16", limits), few, 1)
    for actual, expected in zip(ours, greedy(runner, few, 1), strict=True):
        assert (actual.cpu() - expected).abs().mean() <= 0.05 * expected.abs().mean()


@pytest.mark.skipif(
    not packing_works(), reason="this CPU has no packed product, whose rows do not see each other"
)
@pytest.mark.parametrize("seed", range(4))
def test_bits_of_a_row_are_the_same_in_any_company(weights, batch, seed):
    """SPEC 4.187"""
    chance = random.Random(seed)
    picked = chance.sample(range(len(batch)), chance.randint(1, len(batch)))
    together = greedy(torch_runner(weights), [batch[i] for i in picked], STEPS)
    for i, logits in zip(picked, together, strict=True):
        assert torch.equal(logits, greedy(torch_runner(weights), [batch[i]], STEPS)[0])


def test_an_engine_over_it_gives_the_cpus_answers_when_memory_is_short(weights, runner, batch):
    """SPEC 4.186, 4.190, 4.191: with preemption, prompts in common, and room for two adapters at once."""
    room = 2 * max(a.lane_bytes for _, a in batch if a is not None)
    limits = SchedulerLimits(4, 64, 160, 128, prefill_tokens=16, first_piece=8, lane_bytes=room)
    device_limits = DeviceLimits(4, limits.total_pages + 1, 8)
    requests = [*batch, *batch[:3]]

    def answers(one):
        with running_engine(one, limits, frozenset()) as engine:
            outcomes = [submit(engine, prompt, adapter, max_tokens=20) for prompt, adapter in requests]
            ends = [outcome.wait() for outcome in outcomes]
        assert all(isinstance(end, Finished) for end in ends), ends
        assert engine.metrics.value("preemptions_total") > 0
        return [end.output_ids for end in ends]

    ours = torch_runner(weights, limits=device_limits, budget=room)
    assert answers(ours) == answers(runner)
    # What ended is given back, and what is kept for others is accounted for.
    assert all(not account.held for account in ours.slots.residency.accounts().values())


def test_a_request_that_ends_gives_its_pages_back(weights, batch):
    """SPEC 4.191"""
    limits = SchedulerLimits(4, 64, 320, 128, prefill_tokens=16, first_piece=8)
    runner = torch_runner(weights, limits=DeviceLimits(4, limits.total_pages + 1, 8))
    with running_engine(runner, limits) as engine:
        for _ in range(3):
            outcomes = [submit(engine, p, a, max_tokens=8) for p, a in batch]
            engine.cancel(outcomes[1].sequence)
            for outcome in (*outcomes[:1], *outcomes[2:]):
                outcome.wait()
        kept = engine.load().kept_positions // 16
    assert runner.free_pages == limits.total_pages + 1 - kept


@pytest.mark.parametrize(
    ("most", "first", "factor"), [(1, 1, 2), (6, 1, 2), (64, 1, 2), (32, 64, 8), (600, 64, 8)]
)
def test_every_size_has_the_smallest_bucket_that_holds_it(most, first, factor):
    """SPEC 4.192"""
    buckets = buckets_up_to(most, first, factor)
    assert list(buckets) == sorted(set(buckets)) and buckets[-1] == most
    for size in range(1, most + 1):
        assert bucket_of(size, buckets) == min(b for b in buckets if b >= size)


def test_fp32_steps_have_one_number_of_rows(weights):
    """SPEC 4.187: a matrix product of another number of rows may sum in another order."""
    assert torch_runner(weights).row_buckets == (LIMITS.rows,)
    assert torch_runner(weights, dtype=torch.bfloat16).row_buckets == (1, 2, 4, 8)


@needs_gpu
@pytest.mark.parametrize("base_dtype", ["float32", "bfloat16"])
def test_a_captured_step_gives_the_bits_of_one_that_was_not(base_folder, device, batch, base_dtype):
    """SPEC 4.192: whatever the rows and their adapters are when it is replayed."""
    captured, eager = (triton_runner(base_folder, device, base_dtype) for _ in range(2))
    captured.capture()
    for rows in (batch, batch[3:], batch[:1], batch[::-1]):
        for actual, expected in zip(greedy(captured, rows, 4), greedy(eager, rows, 4), strict=True):
            assert torch.equal(actual, expected) and actual.isfinite().all()


@needs_gpu
def test_bits_on_a_gpu_are_the_same_in_any_company(base_folder, device, batch):
    """SPEC 4.187"""
    one = triton_runner(base_folder, device)
    one.capture()
    alone = [greedy(one, [row], STEPS)[0] for row in batch]
    for order in (range(8), range(7, -1, -1), [3, 1], [5, 0, 7]):
        for i, logits in zip(order, greedy(one, [batch[i] for i in order], STEPS), strict=True):
            assert torch.equal(logits, alone[i])


@needs_gpu
def test_the_engine_on_a_gpu_gives_the_cpus_answers(base_folder, device, runner, batch):
    """SPEC 4.186, 4.190"""
    limits = SchedulerLimits(8, 64, 3200, 512, prefill_tokens=64, first_piece=16)
    gpu = triton_runner(base_folder, device, limits=DeviceLimits(8, limits.total_pages + 4, 32))
    gpu.capture()
    for one in (gpu, runner):
        with running_engine(one, limits, frozenset()) as engine:
            outcomes = [submit(engine, prompt, adapter, max_tokens=20) for prompt, adapter in batch]
            ends = [outcome.wait() for outcome in outcomes]
        if one is gpu:
            ours = [end.output_ids for end in ends]
    assert ours == [end.output_ids for end in ends]


class FarAway:
    """A runner whose adapters are under way until the test says otherwise; all else is the real one's."""

    def __init__(self, runner):
        self._runner, self.near, self.asked = runner, False, threading.Semaphore(0)

    def prefetch(self, adapter):
        self.asked.release()
        return self._runner.prefetch(adapter) and self.near

    def __getattr__(self, name):
        return getattr(self._runner, name)


def test_nobody_waits_for_an_adapter_that_is_under_way_but_who_asked_for_it(weights, adapters):
    """SPEC 4.190: others run on meanwhile, and a request that goes away leaves nothing behind."""
    far = FarAway(torch_runner(weights))
    with running_engine(far, SchedulerLimits(4, 16, 3200, 512), frozenset()) as engine:
        running = submit(engine, PROMPTS[0], max_tokens=480)
        assert running.first.wait(60)
        waiting, gone = (submit(engine, PROMPTS[1], adapter, max_tokens=4) for adapter in adapters[:2])
        for _ in range(8):
            assert far.asked.acquire(timeout=60)
        before = len(running.events)
        assert not waiting.events and engine.load().waiting == 2
        engine.cancel(gone.sequence)
        assert gone.wait() is None and gone.closed == 1
        far.near = True
        assert isinstance(waiting.wait(), Finished)
        assert len(running.events) > before and not gone.events
        engine.cancel(running.sequence)


def test_whoever_is_alone_starts_at_once(weights, adapters):
    """SPEC 4.190: the device waits for the copy, and there is nobody to hold up."""
    far = FarAway(torch_runner(weights))
    with running_engine(far, SchedulerLimits(4, 16, 3200, 512), frozenset()) as engine:
        assert isinstance(submit(engine, PROMPTS[1], adapters[0], max_tokens=4).wait(), Finished)


class AskedOfTheHost(TorchDispatchMode):
    """Notes every operation that hands a number to the host, or whose result's size depends on one."""

    WAITS = ("_local_scalar_dense", "nonzero", "masked_select", "unique", "equal", "is_nonzero")

    def __init__(self):
        super().__init__()
        self.found = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func.name().removeprefix("aten::").split(".")[0]
        if name in self.WAITS:
            self.found.append(name)
        return func(*args, **(kwargs or {}))


@needs_triton
def test_a_step_asks_the_host_for_nothing(base_folder, device, batch, monkeypatch):
    """SPEC 4.192: what a capture could not hold. The plain form does ask, so the look-out sees."""
    from inference_worker.engine.device.decoder import Decoder

    step, listed, seen = Decoder.step, torch.Tensor.tolist, {}

    def watched(decoder, inputs):
        with AskedOfTheHost() as mode, monkeypatch.context() as patched:
            # On a CPU it reads memory without an operation.
            patched.setattr(torch.Tensor, "tolist", lambda t: mode.found.append("tolist") or listed(t))
            logits = step(decoder, inputs)
        seen[decoder.ops.name] = mode.found
        return logits

    monkeypatch.setattr(Decoder, "step", watched)
    limits = DeviceLimits(2, 30, 4)
    weights = read_base(base_folder, device_kernel("float32"), device)
    for runner in (triton_runner(base_folder, device, limits=limits), torch_runner(weights, limits=limits)):
        greedy(runner, [batch[0], batch[4]], 1)
    assert seen["triton"] == [] and seen["torch"] != []
