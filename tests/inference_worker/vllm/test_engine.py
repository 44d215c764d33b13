"""The guards in front of vLLM, each against a far side with vLLM's faults and against the real vLLM."""

import os
import signal
from dataclasses import replace

import pytest

from inference_worker.engine.scheduler import EngineStopping, RequestTooLong
from inference_worker.engine.sequence import Failed, Finished, TokenProduced
from inference_worker.errors import BackendUnavailable, RequestInvalid
from inference_worker.vllm.folders import NotForVllm
from tests.inference_worker.adapters.peft_folders import END
from tests.inference_worker.engine.decoding import greedy, load_adapter
from tests.inference_worker.engine.requests import submit
from tests.inference_worker.vllm.conftest import HELD, launch_for, running_vllm, stub_python, until

PROMPT = [72, 101, 108, 108, 111, 32, 116, 104, 101, 114, 101]
STEPS = 12


@pytest.fixture(scope="module")
def adapters():
    return {name: load_adapter(name, seed=seed) for seed, name in enumerate(("cid-a", "cid-b", "cid-c"), 1)}


def answered(outcome):
    event = outcome.wait()
    assert isinstance(event, Finished), event
    return event


def ids(running, adapter=None, **params):
    return answered(submit(running.engine, PROMPT, adapter, max_tokens=STEPS, **params)).output_ids


def by_our_engine(runner, adapter):
    [logits] = greedy(runner, [(PROMPT, adapter)], STEPS - 1)
    tokens = [int(row.argmax()) for row in logits]
    return tuple(tokens[: tokens.index(END) + 1] if END in tokens else tokens)


def test_rows_of_a_mixed_batch_get_what_they_get_alone(running, adapters, runner):
    """SPEC 4.197: the base's row too, with more adapters around than vLLM has slots for."""
    rows = [None, *adapters.values(), None]
    alone = [ids(running, adapter) for adapter in rows]
    together = [submit(running.engine, PROMPT, adapter, max_tokens=STEPS) for adapter in rows]
    assert [answered(one).output_ids for one in together] == alone
    assert len(set(alone)) == len(adapters) + 1
    if running.is_real:
        assert alone == [by_our_engine(runner, adapter) for adapter in rows]


def test_an_adapter_that_cannot_be_dropped_costs_nobody_an_answer(running):
    """SPEC 4.196: neither who needs its room nor who asks for it again."""
    kept = [load_adapter(f"cid-kept-{seed}", seed=seed) for seed in range(30, 30 + HELD - 1)]
    answers = [ids(running, adapter) for adapter in kept]
    for adapter in kept:
        running.forget(adapter.cid)
    new = [load_adapter(f"cid-instead-{seed}", seed=seed) for seed in range(40, 40 + HELD - 1)]
    assert all(ids(running, adapter) for adapter in new)
    assert [ids(running, adapter) for adapter in kept] == answers


def test_new_bytes_are_a_new_adapter(running, runner):
    """SPEC 4.196: whatever name a model has, its content id decides; also after others took its place."""
    old, new = load_adapter("cid-old", seed=11), load_adapter("cid-new", seed=12)
    first = ids(running, old)
    assert ids(running, new) != first
    for seed in range(20, 24):
        ids(running, load_adapter(f"cid-{seed}", seed=seed))
    assert ids(running, old) == first
    if running.is_real:
        assert first == by_our_engine(runner, old)
        assert ids(running, new) == by_our_engine(runner, new)


def test_more_adapters_at_once_than_vllm_holds(running):
    """SPEC 4.196: some wait for others to be dropped, and each gets its own answer."""
    many = [load_adapter(f"cid-many-{seed}", seed=seed) for seed in range(30, 38)]
    alone = [ids(running, adapter) for adapter in many]
    assert len(set(alone)) == len(many)
    for _ in range(3):
        together = [submit(running.engine, PROMPT, adapter, max_tokens=STEPS) for adapter in many]
        assert [answered(one).output_ids for one in together] == alone


def test_an_answer_is_told_token_by_token(running, adapters):
    outcome = submit(running.engine, PROMPT, adapters["cid-a"], max_tokens=STEPS, logprobs=0)
    event = answered(outcome)
    told = [one for one in outcome.events if isinstance(one, TokenProduced)]
    assert tuple(one.token for one in told) == event.output_ids
    assert [one.index for one in told] == list(range(len(told)))
    assert "".join(one.text for one in told) == event.text
    assert all(one.scores.logprob <= 0 and one.scores.top == () for one in told if one.token != END)
    assert outcome.closed == 1


def test_a_stop_string_ends_the_answer_there_and_in_vllm(running, adapters):
    whole = answered(submit(running.engine, PROMPT, adapters["cid-b"], max_tokens=200))
    stop = next(c for c in whole.text if c.isprintable() and c != "\ufffd")
    cut = answered(submit(running.engine, PROMPT, adapters["cid-b"], max_tokens=200, stop=(stop,)))
    assert cut.text == whole.text[: whole.text.index(stop)] and cut.finish_reason == "stop"
    until(lambda: running.requests_running() == 0)


def test_a_cancelled_request_is_gone_from_vllm(running, adapters):
    """SPEC 4.195"""
    outcome = submit(running.engine, PROMPT, adapters["cid-c"], max_tokens=480, logit_bias=((END, -100.0),))
    assert outcome.first.wait(60)
    running.engine.cancel(outcome.sequence)
    running.engine.cancel(outcome.sequence)
    last = outcome.wait()
    assert isinstance(last, TokenProduced) and outcome.closed == 1
    until(lambda: running.requests_running() == 0)
    assert running.engine.load().running == 0


@pytest.mark.parametrize(
    ("changes", "adapter", "error"),
    [
        ({"max_tokens": 600}, None, RequestTooLong),
        ({"temperature": 0.001}, None, RequestInvalid),
        ({}, {"rank": 32}, NotForVllm),
    ],
)
def test_what_vllm_cannot_do_is_refused_before_it_gets_there(running, changes, adapter, error):
    """SPEC 4.195"""
    packed = load_adapter("cid-odd", **adapter) if adapter else None
    with pytest.raises(error):
        submit(running.engine, PROMPT, packed, **changes)
    assert running.engine.load().running == 0


def test_a_dead_vllm_is_told_of_and_replaced(running, adapters):
    """SPEC 4.199"""
    before, pid = ids(running, adapters["cid-a"]), running.process.pid
    cut = submit(running.engine, PROMPT, adapters["cid-a"], max_tokens=480, logit_bias=((END, -100.0),))
    assert cut.first.wait(60)
    os.kill(running.far_pid(), signal.SIGKILL)
    event = cut.wait()
    assert isinstance(event, Failed) and event.code == BackendUnavailable.code and cut.closed == 1
    assert after_restart(running, adapters["cid-a"]) == before
    assert running.process.pid != pid


def test_a_nan_condemns_its_adapter_and_nobody_else(running, adapters):
    """SPEC 4.198: with ingestion bypassed; requests beside it may be asked again and get what they got."""
    before, pid = ids(running, adapters["cid-a"]), running.process.pid
    sound = load_adapter("cid-nan", seed=5)
    blob = sound.blob.clone()
    blob[7] = float("nan")
    rows = [None, *adapters.values()]
    beside = [
        submit(running.engine, PROMPT, one, max_tokens=480, logit_bias=((END, -100.0),)) for one in rows
    ]
    assert beside[0].first.wait(60)
    guilty = submit(running.engine, PROMPT, replace(sound, blob=blob), max_tokens=STEPS)
    event = ended(guilty)
    assert event.code == "adapter_broke_while_serving" and "cid-nan" in event.message
    assert running.condemned == [("cid-nan", "adapter_broke_while_serving")]
    for event in map(ended, beside):
        # The real one may be through with it before the guilty row has a slot.
        assert isinstance(event, Finished) or event.code == BackendUnavailable.code
    assert after_restart(running, adapters["cid-a"]) == before
    assert running.process.pid != pid


def ended(outcome):
    """The last event of a request whose end waits for vLLM to be started again."""
    until(lambda: outcome.closed)
    return outcome.wait()


def after_restart(running, adapter):
    """The tokens of the first request that is taken again; until then each refusal says so."""

    def taken():
        try:
            attempts.append(submit(running.engine, PROMPT, adapter, max_tokens=STEPS))
        except BackendUnavailable:
            return False
        return isinstance(attempts[-1].wait(), Finished)

    attempts = []
    until(taken)
    return answered(attempts[-1]).output_ids


def test_a_vllm_that_does_not_start_is_told_with_its_last_words(tmp_path, narrow_base):
    """SPEC 4.199"""
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho no such device >&2\nexit 3\n")
    python.chmod(0o700)
    launch = launch_for(python, narrow_base, tmp_path)
    with (
        pytest.raises(BackendUnavailable, match="ended with 3 while starting: no such device"),
        running_vllm(launch),
    ):
        pass


def test_what_runs_when_the_engine_closes_is_told_so(tmp_path, narrow_base, adapters):
    with running_vllm(launch_for(stub_python(tmp_path), narrow_base, tmp_path)) as started:
        outcome = submit(started.engine, PROMPT, adapters["cid-a"], max_tokens=480)
        assert outcome.first.wait(60)
        assert not started.engine.close(0)
        assert outcome.wait() == Failed("worker_stopping", "the worker is shutting down")
        assert started.process.pid is None and not started.process.launch.socket.exists()
        with pytest.raises(EngineStopping):
            submit(started.engine, PROMPT)
