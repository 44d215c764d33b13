"""The time of the steps is divided and nothing of it is lost: what is booked sums to what was measured."""

import time
from collections import Counter

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from inference_worker.engine.engine import Engine
from inference_worker.engine.model_runner import ModelRunner
from inference_worker.engine.scheduler import SchedulerLimits
from inference_worker.engine.step_costs import StepCosts, processor_microseconds
from inference_worker.metrics import Metrics
from tests.inference_worker.adapters.loading import Clock
from tests.inference_worker.adapters.peft_folders import END
from tests.inference_worker.engine.decoding import PROMPTS, load_adapter
from tests.inference_worker.engine.requests import decode, submit

STEPS = st.lists(st.tuples(st.integers(0, 10**6), st.sets(st.integers(0, 5)), st.sets(st.integers(0, 5))))


@given(STEPS)
def test_what_is_booked_is_what_was_measured(steps):
    """SPEC 4.201: whoever takes part and whoever ends when."""
    clock, booked, measured = Clock(), Counter(), 0
    costs = StepCosts(lambda adapter, cost: booked.update({adapter: cost}), lambda: clock.now)
    alive = set(range(6))
    clock.now = 0
    for sequence in alive:
        costs.begin(sequence, f"a{sequence % 3}" if sequence else None)
    for taken, rows, ending in steps:
        with costs.shared(sorted(rows)):
            clock.now += taken
            for sequence in ending & rows & alive:
                costs.end(sequence)
        measured += taken if rows & alive else 0
        alive -= ending & rows
    for sequence in alive:
        costs.end(sequence)
    assert sum(booked.values()) == measured


@pytest.mark.parametrize(("taken", "shares"), [(9, [3, 3, 3]), (11, [4, 4, 3]), (1, [1, 0, 0])])
def test_a_step_is_shared_evenly_to_the_microsecond(taken, shares):
    """SPEC 4.201"""
    clock, booked = Clock(), []
    clock.now = 0
    costs = StepCosts(lambda adapter, cost: booked.append(cost), lambda: clock.now)
    for sequence in range(3):
        costs.begin(sequence, None)
    with costs.shared([0, 1, 2]):
        clock.now += taken
    for sequence in range(3):
        costs.end(sequence)
    assert booked == shares


class Ticks:
    """A clock that goes on by one microsecond each time it is asked."""

    now = 0

    def __call__(self):
        self.now += 1
        return self.now


def test_an_engine_books_every_step_on_those_whose_rows_it_ran(weights):
    """SPEC 4.201: also for one that is cancelled and one whose adapter breaks."""
    clock, booked, metrics = Ticks(), Counter(), Metrics()
    costs = StepCosts(lambda adapter, cost: booked.update({adapter: cost}), clock)
    limits = SchedulerLimits(running=8, total_positions=2048, sequence_positions=512)
    good, broken = load_adapter("good", seed=1), load_adapter("broken", seed=2)
    broken.blob.fill_(torch.nan)
    engine = Engine(
        ModelRunner(weights), decode, frozenset({END}), limits, lambda *why: None, metrics, costs=costs
    )
    engine.start()
    asked = [submit(engine, prompt, adapter) for prompt in PROMPTS[:3] for adapter in (None, good, broken)]
    endless = submit(engine, PROMPTS[0], good, max_tokens=400)
    assert endless.first.wait(60)
    engine.cancel(endless.sequence)
    for outcome in (*asked, endless):
        outcome.wait()
    engine.close(60)
    # Each measured block asked the clock twice, so that its time was one microsecond.
    assert sum(booked.values()) == clock.now / 2
    assert set(booked) == {None, "good", "broken"} and booked["good"] > booked["broken"]


@pytest.mark.parametrize("threads", [1, 3])
def test_the_clock_is_of_the_processor_and_of_this_thread(threads):
    """SPEC 4.201: time in which the thread waits or others work costs nothing."""
    clock = processor_microseconds(threads)
    for _ in range(100):
        before = time.thread_time_ns()
        shown = clock()
        after = time.thread_time_ns()
        assert before * threads // 1000 <= shown <= after * threads // 1000
