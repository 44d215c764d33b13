"""What memory may never change: prompts that are reused, pages that are taken away, adapters that come and
go. Every logit that chose a token is compared, not the tokens alone."""

import random
from dataclasses import replace

import pytest
import torch

from inference_worker.engine.linear import packing_works
from inference_worker.engine.pieces import cuts_within
from inference_worker.engine.scheduler import SchedulerLimits
from inference_worker.engine.sequence import Finished, TokenProduced
from tests.inference_worker.adapters.loading import make_loader
from tests.inference_worker.adapters.peft_folders import BlobShelf, adapter_files
from tests.inference_worker.engine.decoding import PROMPTS, load_adapter
from tests.inference_worker.engine.recorded import assert_same, taken
from tests.inference_worker.engine.requests import running_engine, submit

pytestmark = pytest.mark.skipif(not packing_works(), reason="bits are promised for the packed kernel")
ROOMY = SchedulerLimits(
    running=8, waiting=64, total_positions=8192, sequence_positions=512, prefill_tokens=16, first_piece=8
)
TIGHT = SchedulerLimits(
    running=8, waiting=64, total_positions=160, sequence_positions=512, prefill_tokens=16, first_piece=8
)


def random_prompts(seed, count):
    """Prompts that begin alike up to random places, with owners of random adapters."""
    rng = random.Random(seed)
    stem = [rng.randrange(256) for _ in range(80)]
    return [
        [*stem[: rng.randrange(1, 70)], *(rng.randrange(256) for _ in range(rng.randrange(20)))]
        for _ in range(count)
    ]


@pytest.mark.parametrize("seed", range(4))
def test_a_reused_beginning_changes_no_bit(runner, adapters, chosen_from, seed):
    """SPEC 4.122: cached equals uncached for random prompts and cuts, and what can be reused is."""
    prompts, adapter = random_prompts(seed, 8), adapters[seed] if seed else None
    options = {"temperature": 1.0, "max_tokens": 5}
    for number, prompt in enumerate(prompts):
        with running_engine(runner, ROOMY) as fresh:
            submit(fresh, prompt, adapter, seed=number, **options).wait()
    uncached = taken(chosen_from)
    with running_engine(runner, ROOMY) as engine:
        for number, prompt in enumerate(prompts):
            submit(engine, prompt, adapter, seed=number, **options).wait()
        reused = engine.metrics.value("prefix_positions_total")
        run = engine.metrics.value("prompt_tokens_total")
    assert_same(taken(chosen_from), uncached)
    assert reused == expected_reuse(prompts) and reused + run == sum(map(len, prompts))
    assert reused > 0


def expected_reuse(prompts):
    known, reused = set(), 0
    for prompt in prompts:
        cuts = cuts_within(len(prompt), ROOMY.first_piece, ROOMY.prefill_tokens)
        reused += max((c for c in cuts if c < len(prompt) and tuple(prompt[:c]) in known), default=0)
        known.update(tuple(prompt[:c]) for c in cuts)
    return reused


def hits(engine):
    return engine.metrics.value("prefix_lookups_total", outcome="hit")


def test_neither_tenants_nor_adapters_share_a_beginning(runner, adapters):
    """SPEC 4.124"""
    prompt = PROMPTS[7]
    with running_engine(runner, ROOMY) as engine:
        for adapter in (None, adapters[0], adapters[1]):
            for tenant in ("t", "u"):
                submit(engine, prompt, adapter, tenant).wait()
        assert hits(engine) == 0
        submit(engine, prompt, adapters[0], "u").wait()
        assert hits(engine) == 1


def test_new_bytes_under_the_same_names_share_nothing(runner, chosen_from, tmp_path):
    """SPEC 4.1, 4.124: the second adapter answers as it does alone, not from the first one's keys."""
    shelf = BlobShelf()
    cids = [shelf.put_bundle(adapter_files(seed=seed)) for seed in (1, 2)]
    loader = make_loader(shelf.fetch, tmp_path)
    first, second = (loader.acquire(cid) for cid in cids)
    with running_engine(runner, ROOMY) as engine:
        submit(engine, PROMPTS[7], second, seed=1).wait()
    alone = taken(chosen_from)
    with running_engine(runner, ROOMY) as engine:
        submit(engine, PROMPTS[7], first, seed=0).wait()
        submit(engine, PROMPTS[7], second, seed=1).wait()
        assert hits(engine) == 0
    assert_same({1: taken(chosen_from)[1]}, alone)


def crowd(engine, adapters, cancel=()):
    """Twelve requests whose answers need several times the memory of TIGHT."""
    outcomes = [
        submit(
            engine,
            PROMPTS[i % 8],
            adapters[i % 8] if i % 3 else None,
            tenant=str(i % 3),
            seed=i,
            temperature=1.3,
            max_tokens=60 + i,
        )
        for i in range(12)
    ]
    for place in cancel:
        outcomes[place].first.wait()
        engine.cancel(outcomes[place].sequence)
    return outcomes, [outcome.wait() for outcome in outcomes]


def test_preempted_requests_go_on_bit_for_bit(runner, adapters, chosen_from):
    """SPEC 4.20, 4.121: nothing is sent twice, and every logit is that of an engine with room."""
    with running_engine(runner, ROOMY, frozenset()) as engine:
        _, calm = crowd(engine, adapters)
        assert engine.metrics.value("preemptions_total") == 0
    roomy = taken(chosen_from)
    with running_engine(runner, TIGHT, frozenset()) as engine:
        outcomes, pressed = crowd(engine, adapters)
        assert engine.metrics.value("preemptions_total") > 0
        assert engine.load().held_positions == 0
    assert_same(taken(chosen_from), roomy)
    assert pressed == calm and all(isinstance(end, Finished) for end in pressed)
    for outcome in outcomes:
        tokens = [event.index for event in outcome.events if isinstance(event, TokenProduced)]
        assert tokens == list(range(len(tokens)))


def test_cancelling_under_pressure_frees_all_and_disturbs_nobody(runner, adapters, chosen_from):
    """SPEC 4.18, 4.121"""
    with running_engine(runner, ROOMY, frozenset()) as engine:
        crowd(engine, adapters)
    roomy = taken(chosen_from)
    with running_engine(runner, TIGHT, frozenset()) as engine:
        outcomes, _ = crowd(engine, adapters, cancel=(1, 4, 7))
        load = engine.load()
        assert (load.running, load.waiting, load.held_positions) == (0, 0, 0)
        assert [outcome.closed for outcome in outcomes] == [1] * 12
    for seed, logits in taken(chosen_from).items():
        assert torch.equal(logits, roomy[seed][: len(logits)])


def test_pages_of_a_broken_adapter_poison_nobody(runner, adapters, chosen_from):
    """SPEC 4.17: its rows fail alone, and whoever gets their memory next answers as ever."""
    with running_engine(runner, ROOMY, frozenset()) as engine:
        crowd(engine, adapters)
    clean = taken(chosen_from)
    bad = load_adapter("bad", seed=1)
    bad.blob.fill_(float("nan"))
    with running_engine(runner, TIGHT, frozenset()) as engine:
        broken = [submit(engine, PROMPTS[i], bad, seed=100 + i, max_tokens=90) for i in range(8)]
        crowd(engine, adapters)
        assert {one.wait().code for one in broken} == {"adapter_broke_while_serving"}
    assert_same(taken(chosen_from), clean)


def test_more_adapters_than_room_and_the_base_all_answer(runner, adapters, chosen_from):
    """SPEC 4.14, 4.128: room for three adapters; base and all eight at once."""
    largest = max(adapter.nbytes for adapter in adapters)
    wanted = [None, *adapters]
    for number, adapter in enumerate(wanted):
        with running_engine(runner, ROOMY) as engine:
            submit(engine, PROMPTS[2], adapter, seed=number, max_tokens=20).wait()
    alone = taken(chosen_from)
    with running_engine(runner, replace(ROOMY, lane_bytes=3 * largest)) as engine:
        outcomes = [
            submit(engine, PROMPTS[2], adapter, str(number), seed=number, max_tokens=20)
            for number, adapter in enumerate(wanted)
        ]
        assert all(isinstance(outcome.wait(), Finished) for outcome in outcomes)
    assert_same(taken(chosen_from), alone)
