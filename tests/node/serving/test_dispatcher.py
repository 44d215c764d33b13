"""Dispatch: the right worker is asked, and only the newest assignment may answer."""

from collections.abc import AsyncGenerator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.errors import StaleFence, WorkerUnreachable
from node.serving.dispatcher import Candidate, Dispatcher, NoCapableWorker, choose
from node.serving.model import ServedModel
from node.serving.order import Order
from node.store.database import open_database
from node.store.jobs import JobStore, StoredJob
from protocol.cid import cid_of_raw
from protocol.sampling import Sampling
from protocol.wire import (
    AdapterInfo,
    AttributeRequest,
    AttributeResult,
    BaseInfo,
    GenerateRequest,
    GenerateResult,
    TokenEvent,
    WorkerHealth,
)

ADAPTER = cid_of_raw(b"adapter").text
BASE, OTHER_BASE = "0x" + "11" * 32, "0x" + "22" * 32
MODEL = ServedModel("m", 1, "0x" + "aa" * 20, BASE, ADAPTER, None, None, None, 1, 1, 1, 1, (), 1)
ORDER = Order(None, "hello", 2, Sampling(0.0, seed=1))
RESULT = GenerateResult((1,), (10, 11), "ab", "length", b"\3" * 32)

CANDIDATES = st.none() | st.builds(
    Candidate,
    st.sampled_from([BASE, OTHER_BASE]),
    st.sampled_from([frozenset(), frozenset([ADAPTER])]),
    st.integers(0, 3),
)


class ScriptedWorker:
    """Answers as told; remembers what it was asked."""

    def __init__(
        self, fingerprint: str = BASE, resident: bool = False, events: tuple[object, ...] = ()
    ) -> None:
        adapters = (AdapterInfo(ADAPTER, "resident"),) if resident else ()
        self.state = WorkerHealth("ok", BaseInfo(fingerprint, BASE, "b"), b"\3" * 32, adapters, ())
        self.events = events
        self.asked: list[GenerateRequest] = []
        self.alive = True

    async def health(self) -> WorkerHealth:
        if not self.alive:
            raise WorkerUnreachable("away")
        return self.state

    async def tokenize(self, order: Order) -> tuple[int, ...]:
        return (1,)

    async def generate(self, request: GenerateRequest) -> AsyncGenerator[TokenEvent | GenerateResult, None]:
        self.asked.append(request)
        for event in self.events:
            if isinstance(event, Exception):
                raise event
            yield event  # type: ignore[misc]

    async def attribute(self, request: AttributeRequest) -> AttributeResult:
        raise WorkerUnreachable("away")


@pytest.fixture
def jobs(tmp_path: Path) -> JobStore:
    store = JobStore(open_database(tmp_path / "node.sqlite"))
    store.insert(StoredJob(b"\1" * 32, b"\2" * 32, "k", b"\3" * 32, None, "{}", "{}", b"\4" * 32, 5, 6, 7))
    return store


@given(st.lists(CANDIDATES, max_size=6))
def test_the_choice_is_the_best_of_the_capable_ones(candidates: list[Candidate | None]) -> None:
    """SPEC 4.30: equal to looking at every one of them."""
    chosen = choose(candidates, MODEL)
    capable = [one for one in candidates if one is not None and one.fingerprint == BASE]
    if chosen is None:
        assert not capable
        return
    best = candidates[chosen]
    assert best in capable
    for one in capable:
        assert (ADAPTER not in best.resident, best.in_flight) <= (ADAPTER not in one.resident, one.in_flight)


async def test_a_worker_with_another_base_is_never_asked(jobs: JobStore) -> None:
    """SPEC 4.30"""
    other, right = ScriptedWorker(OTHER_BASE, resident=True), ScriptedWorker(events=(RESULT,))
    answer = Dispatcher([other, right], jobs).generate(b"\1" * 32, b"\7" * 32, MODEL, ORDER)
    assert [event async for _, event in answer] == [RESULT]
    assert (other.asked, [request.tenant for request in right.asked]) == ([], ["0x" + "07" * 32])
    with pytest.raises(NoCapableWorker):
        await Dispatcher([other], jobs).count_tokens(MODEL, ORDER)


async def test_each_assignment_has_a_higher_token(jobs: JobStore) -> None:
    """SPEC 4.31"""
    worker = ScriptedWorker(events=(RESULT,))
    dispatcher = Dispatcher([worker], jobs)
    fences = []
    for _ in range(3):
        fences += [fence async for fence, _ in dispatcher.generate(b"\1" * 32, b"\7" * 32, MODEL, ORDER)]
    assert fences == sorted(set(fences))
    assert [request.fence for request in worker.asked] == fences


async def test_a_result_of_an_older_assignment_is_refused(jobs: JobStore) -> None:
    """SPEC 4.31"""
    worker = ScriptedWorker(events=(TokenEvent(0, 10, "a"), RESULT))
    late = Dispatcher([worker], jobs).generate(b"\1" * 32, b"\7" * 32, MODEL, ORDER)
    fence, _ = await anext(late)
    newer = jobs.next_fence(b"\1" * 32)
    with pytest.raises(StaleFence):
        await anext(late)
    with pytest.raises(StaleFence):
        jobs.answer(b"\1" * 32, fence, "late")
    jobs.answer(b"\1" * 32, newer, "in time")
    assert jobs.get(b"\1" * 32).result_json == "in time"


async def test_a_worker_that_went_away_is_looked_at_again(jobs: JobStore) -> None:
    """SPEC 4.30"""
    first, second = ScriptedWorker(events=(WorkerUnreachable("cut"),)), ScriptedWorker(events=(RESULT,))
    dispatcher = Dispatcher([first, second], jobs)
    with pytest.raises(WorkerUnreachable):
        await anext(dispatcher.generate(b"\1" * 32, b"\7" * 32, MODEL, ORDER))
    first.alive = False
    events = [event async for event in dispatcher.generate(b"\1" * 32, b"\7" * 32, MODEL, ORDER)]
    assert [event for _, event in events] == [RESULT]


def test_a_model_and_an_order_read_back_as_they_were_kept() -> None:
    """SPEC 6.43"""
    rich = replace(MODEL, royalties=(("0x" + "bb" * 20, 7),), in_rate=2**127)
    assert ServedModel.from_json(rich.to_json()) == rich
    for order in (
        ORDER,
        replace(
            ORDER,
            prompt=None,
            messages=(("user", "hé"),),
            sampling=Sampling(0.5, stop=("x", "y"), logit_bias=((3, -1.5),), logprobs=2),
        ),
    ):
        assert Order.from_json(order.to_json()) == order
