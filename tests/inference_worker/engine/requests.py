"""Requests to a running engine, and what tests collect of them."""

import threading
from contextlib import contextmanager

from inference_worker.engine.engine import Engine
from inference_worker.engine.job import GenerationJob
from inference_worker.engine.sequence import SamplingParams
from inference_worker.metrics import Metrics
from protocol.sampling import Sampling
from tests.inference_worker.adapters.peft_folders import END

WAIT_SECONDS = 60


def decode(ids):
    return bytes(i for i in ids if i < 256).decode("utf-8", errors="replace")


class Outcome:
    """Collects the events of one request and lets a test wait for its end."""

    def __init__(self):
        self.events, self.closed, self._done = [], 0, threading.Event()
        self.first = threading.Event()

    def emit(self, event):
        self.events.append(event)
        self.first.set()

    def on_closed(self):
        self.closed += 1
        self._done.set()

    def wait(self):
        assert self._done.wait(WAIT_SECONDS)
        return self.events[-1] if self.events else None


def sampled(max_tokens=12, grammar=None, **sampling):
    """How to choose the tokens of one answer: greedily unless a temperature is given."""
    return SamplingParams(max_tokens, Sampling(**{"temperature": 0.0, **sampling}), grammar)


def submit(engine, prompt, adapter=None, tenant="t", **params):
    outcome = Outcome()
    settings = sampled(**params)
    job = GenerationJob(tuple(prompt), settings, adapter, tenant, outcome.emit, outcome.on_closed)
    outcome.sequence = engine.submit(job)
    return outcome


@contextmanager
def running_engine(runner, limits, end_tokens=frozenset({END})):
    """An engine whose counters are at `engine.metrics`."""
    metrics = Metrics()
    engine = Engine(runner, decode, end_tokens, limits, lambda cid, why: None, metrics)
    engine.metrics = metrics
    engine.start()
    try:
        yield engine
    finally:
        engine.close(0)
