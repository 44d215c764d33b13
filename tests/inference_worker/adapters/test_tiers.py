"""Laws of all tiers together: hit rates, thousands of registered adapters, places that change owners while in
use."""

import bisect
import itertools
import json
import random
import sys
import threading
from collections import deque

import pytest

from inference_worker.adapters.residency import ResidencyFull
from inference_worker.engine.engine import Engine
from inference_worker.engine.job import GenerationJob
from inference_worker.engine.linear import choose_linear
from inference_worker.engine.model_runner import DecodeRow, ModelRunner
from inference_worker.engine.scheduler import SchedulerLimits
from inference_worker.engine.sequence import Finished
from inference_worker.engine.weights import read_weights
from inference_worker.metrics import Metrics
from protocol.canonical import canonical_json
from tests.inference_worker.adapters.loading import make_loader
from tests.inference_worker.adapters.peft_folders import BlobShelf, adapter_files, write_base
from tests.inference_worker.engine.decoding import PROMPTS
from tests.inference_worker.engine.requests import sampled

REGISTERED, SLOTS, REQUESTS = 10_000, 64, 2_000
WAIT_SECONDS = 60


def zipf(count, draws, seed=7):
    """Draws from 0..count-1 with weights 1, 1/2, 1/3, …"""
    sums = list(itertools.accumulate(1 / rank for rank in range(1, count + 1)))
    generator = random.Random(seed)
    return [bisect.bisect(sums, generator.random() * sums[-1]) for _ in range(draws)]


def simulated_hits(draws, slots):
    """Hits of a least-recently-used list of fixed length, in the plainest way there is."""
    held, hits = [], 0
    for item in draws:
        if item in held:
            held.remove(item)
            hits += 1
        elif len(held) == slots:
            held.pop(0)
        held.append(item)
    return hits


class ManyBundles(BlobShelf):
    """Bundles without end that differ in a line of their model card: tiny, and made when first named."""

    def __init__(self):
        super().__init__()
        named = adapter_files(rank=1, modules=("q_proj",))
        self._listed = json.loads(self.blobs[self.put_bundle(named)])["files"]

    def cid(self, number):
        card = b"# adapter %d\n" % number
        own = {"name": "README.md", "cid": self.put(card), "size": len(card)}
        shared = [file for file in self._listed if file["name"] != "README.md"]
        return self.put(canonical_json({"files": [own, *shared]}))


@pytest.fixture(scope="module")
def many():
    """A shelf and the names of its adapters."""
    shelf = ManyBundles()
    return shelf, [shelf.cid(number) for number in range(REGISTERED)]


@pytest.mark.parametrize("in_use", [0, 16])
def test_hit_rate_is_that_of_the_simulation_and_the_budget_holds_at_every_request(many, tmp_path, in_use):
    """SPEC 4.106, 4.111: `in_use` requests hold their adapters at any time, which a list knows nothing of."""
    shelf, names = many
    size = make_loader(shelf.fetch, tmp_path / "sizing").acquire(names[0]).nbytes
    metrics, draws = Metrics(), zipf(REGISTERED, REQUESTS)
    loader = make_loader(shelf.fetch, tmp_path, SLOTS * size + size // 2, quota=0, metrics=metrics)
    for name in names:
        loader.register(name)
    residency, running = loader.host.residency, deque()
    for number in draws:
        running.append(loader.acquire(names[number]).cid)
        while len(running) > in_use:
            loader.release(running.popleft())
        assert residency.used == size * len(residency) <= residency.budget - residency.free
        assert residency.used + residency.free == residency.budget
    hits = metrics.value("adapter_lookups_total", tier="host", outcome="hit")
    expected = simulated_hits(draws, SLOTS)
    assert 0.2 < expected / REQUESTS < 0.8
    assert hits == expected if not in_use else abs(hits - expected) <= 0.02 * REQUESTS
    assert len(loader.catalog) == REGISTERED and len(residency) <= SLOTS


def calls_of(run):
    """How many Python and C functions a piece of work calls."""
    seen = itertools.count()
    sys.setprofile(lambda frame, event, argument: next(seen) if event in ("call", "c_call") else None)
    try:
        run()
    finally:
        sys.setprofile(None)
    return next(seen)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    return read_weights(write_base(tmp_path_factory.mktemp("base")), choose_linear()[1])


def work_of_a_step(weights, folder, registered):
    """Calls of one decode step over four adapters, and of asking for one more time for each of them."""
    shelf, runner = BlobShelf(), ModelRunner(weights)
    loader = make_loader(shelf.fetch, folder)
    cids = [shelf.put_bundle(adapter_files(seed=seed)) for seed in range(4)]
    packed = [loader.acquire(cid) for cid in cids]
    for number in range(registered - len(cids)):
        loader.register(f"registered {number}")
    caches = [runner.new_cache(32) for _ in packed]
    for adapter, cache in zip(packed, caches, strict=True):
        runner.prefill(PROMPTS[1], cache, adapter)
    rows = [DecodeRow(70, cache, adapter) for adapter, cache in zip(packed, caches, strict=True)]
    runner.decode(rows)
    step = calls_of(lambda: runner.decode(rows))
    lookups = calls_of(lambda: [loader.release(loader.acquire(cid).cid) for cid in cids])
    return step, lookups


def test_a_step_and_a_lookup_do_the_same_work_with_10_and_with_10_000_registered(weights, tmp_path):
    """SPEC 4.108"""
    work_of_a_step(weights, tmp_path / "warm", 10)
    few = work_of_a_step(weights, tmp_path / "few", 10)
    assert work_of_a_step(weights, tmp_path / "many", REGISTERED) == few and min(few) > 0


class Answer:
    """One request in the engine, its lease given back when it ends."""

    def __init__(self, engine, loader, cid, number):
        self.events, self._ended = [], threading.Event()
        self._loader, self._adapter = loader, loader.acquire(cid)
        params = sampled(max_tokens=3)
        prompt = tuple(PROMPTS[number % 3])
        try:
            engine.submit(GenerationJob(prompt, params, self._adapter, "t", self.events.append, self._close))
        except Exception:
            self._close()
            raise

    def _close(self):
        self._loader.release(self._adapter.cid)
        self._ended.set()

    def output(self):
        assert self._ended.wait(WAIT_SECONDS)
        assert isinstance(self.events[-1], Finished), self.events
        return self.events[-1].output_ids


def test_a_thousand_alternations_through_few_places_leave_every_answer_as_it_is_alone(weights, tmp_path):
    """SPEC 4.16"""
    shelf, limits = BlobShelf(), SchedulerLimits(running=4, total_positions=512, sequence_positions=128)
    cids = [shelf.put_bundle(adapter_files(seed=seed)) for seed in range(6)]
    plenty = make_loader(shelf.fetch, tmp_path)
    size = plenty.acquire(cids[0]).nbytes
    tight = make_loader(shelf.fetch, tmp_path, budget=3 * size)
    engine = Engine(ModelRunner(weights), lambda ids: "", frozenset(), limits, tight.quarantine, Metrics())
    engine.start()
    alone = {(cid, place): Answer(engine, plenty, cid, place).output() for cid in cids for place in range(3)}
    generator, running, evictions = random.Random(3), deque(), 0
    for number in range(1000):
        cid = generator.choice(cids)
        while True:
            try:
                running.append((cid, number % 3, Answer(engine, tight, cid, number)))
                break
            except ResidencyFull:
                evictions += 1
                known, place, answer = running.popleft()
                assert answer.output() == alone[known, place]
        if len(running) > 3:
            known, place, answer = running.popleft()
            assert answer.output() == alone[known, place]
    for known, place, answer in running:
        assert answer.output() == alone[known, place]
    engine.close(WAIT_SECONDS)
    assert len(set(alone.values())) > len(cids) and evictions
    assert shelf.fetches.count(cids[0]) == 1 and tight.host.residency.used <= 3 * size
