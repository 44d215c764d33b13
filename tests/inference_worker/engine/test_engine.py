"""The step loop on a real (tiny) model: the same answer in any company, and nothing kept of what has
ended."""

import itertools
import json
from dataclasses import replace

import pytest
import torch

from inference_worker.engine.engine import Engine
from inference_worker.engine.grammar import GrammarCompiler
from inference_worker.engine.profile import profile_id
from inference_worker.engine.prompt import PromptEncoder
from inference_worker.engine.scheduler import EngineBusy, EngineStopping, RequestTooLong, SchedulerLimits
from inference_worker.engine.sequence import Failed, Finished, TokenProduced
from inference_worker.metrics import Metrics
from protocol.json_schema import ANY_OBJECT
from tests.inference_worker.adapters.peft_folders import END, shape
from tests.inference_worker.engine.decoding import PROMPTS, greedy, load_adapter
from tests.inference_worker.engine.requests import WAIT_SECONDS, decode, submit
from tests.inference_worker.running_worker import byte_tokenizer

LIMITS = SchedulerLimits(
    running=8, waiting=64, total_positions=4096, sequence_positions=512, prefill_tokens=16, first_piece=8
)


@pytest.fixture
def broken():
    return []


@pytest.fixture
def engine(runner, broken):
    built = Engine(
        runner, decode, frozenset({END}), LIMITS, lambda cid, why: broken.append((cid, why)), Metrics()
    )
    built.start()
    yield built
    built.close(0)


def test_answers_equal_greedy_decoding_whatever_runs_beside(engine, runner, adapters):
    """SPEC 4.13"""
    batch = [(PROMPTS[i % 8], adapters[i % 8] if i % 3 else None) for i in range(20)]
    outcomes = [submit(engine, p, a, tenant=str(i % 3)) for i, (p, a) in enumerate(batch)]
    finished = [o.wait() for o in outcomes]
    for (prompt, adapter), end in zip(batch, finished, strict=True):
        (logits,) = greedy(runner, [(prompt, adapter)], 11)
        expected = logits.argmax(-1).tolist()
        expected = expected[: expected.index(END) + 1] if END in expected else expected
        assert isinstance(end, Finished)
        assert list(end.output_ids) == expected


def test_events_tell_the_result(engine):
    """SPEC 4.21"""
    outcome = submit(engine, PROMPTS[2], temperature=1.5, seed=5, max_tokens=40)
    end = outcome.wait()
    tokens = [e for e in outcome.events if isinstance(e, TokenProduced)]
    assert [t.index for t in tokens] == list(range(len(end.output_ids)))
    assert tuple(t.token for t in tokens) == end.output_ids
    assert "".join(t.text for t in tokens) == end.text == decode(end.output_ids)
    assert outcome.closed == 1


def test_seed_fixes_the_answer_in_any_company(engine, adapters):
    """SPEC 4.20"""
    options = {"temperature": 1.2, "top_p": 0.95, "max_tokens": 20}
    alone = submit(engine, PROMPTS[3], adapters[0], seed=42, **options).wait()
    crowd = [submit(engine, PROMPTS[i], adapters[i], seed=i, **options) for i in range(8)]
    among = submit(engine, PROMPTS[3], adapters[0], seed=42, **options).wait()
    other = submit(engine, PROMPTS[3], adapters[0], seed=43, **options).wait()
    for one in crowd:
        one.wait()
    assert among.output_ids == alone.output_ids != other.output_ids


def test_penalised_rows_get_the_same_answer_in_any_company(engine, adapters):
    """SPEC 4.140, 4.141"""
    options = {
        "temperature": 1.1,
        "top_k": 40,
        "min_p": 0.01,
        "frequency_penalty": 0.4,
        "presence_penalty": -0.3,
        "repetition_penalty": 1.3,
        "logit_bias": ((70, -5.0), (71, 3.0)),
        "logprobs": 3,
        "max_tokens": 20,
    }
    alone = submit(engine, PROMPTS[3], adapters[0], seed=42, **options)
    alone.wait()
    crowd = [submit(engine, PROMPTS[i], adapters[i], seed=i, temperature=1.0) for i in range(7)]
    among = submit(engine, PROMPTS[3], adapters[0], seed=42, **options)
    plain = submit(engine, PROMPTS[3], adapters[0], seed=42, temperature=1.1, max_tokens=20).wait()
    for one in (*crowd, among):
        one.wait()
    assert among.events == alone.events
    assert among.events[-1].output_ids != plain.output_ids


def test_stop_string_ends_the_text(engine):
    """SPEC 4.22"""
    full = submit(engine, PROMPTS[4], temperature=1.0, seed=9, max_tokens=60).wait()
    stop = full.text[4:6]
    outcome = submit(engine, PROMPTS[4], temperature=1.0, seed=9, max_tokens=60, stop=(stop,))
    end = outcome.wait()
    assert end.finish_reason == "stop"
    assert end.text == full.text[: full.text.index(stop)]
    assert "".join(e.text for e in outcome.events if isinstance(e, TokenProduced)) == end.text
    assert end.output_ids == full.output_ids[: len(end.output_ids)]


def test_cancelled_requests_free_all_they_held(engine, adapters):
    """SPEC 4.18"""
    outcomes = [submit(engine, PROMPTS[i % 8], adapters[i % 8], max_tokens=400) for i in range(16)]
    outcomes[0].first.wait(WAIT_SECONDS)
    for outcome in outcomes:
        engine.cancel(outcome.sequence)
    for outcome in outcomes:
        outcome.wait()
        assert outcome.closed == 1
    load = engine.load()
    assert engine._metrics.value("sequences_total", outcome="cancelled") == 16
    assert (load.running, load.waiting, load.held_positions) == (0, 0, 0)


def test_broken_adapter_fails_alone_and_is_reported(engine, broken, runner):
    """SPEC 4.17"""
    bad = load_adapter("bad", seed=1)
    bad.blob.fill_(float("nan"))
    good, worse = submit(engine, PROMPTS[0]), submit(engine, PROMPTS[1], bad)
    failure = worse.wait()
    assert isinstance(failure, Failed) and failure.code == "adapter_broke_while_serving"
    assert [cid for cid, _ in broken] == ["bad"]
    (logits,) = greedy(runner, [(PROMPTS[0], None)], 11)
    assert list(good.wait().output_ids) == logits.argmax(-1).tolist()[: len(good.wait().output_ids)]
    assert isinstance(submit(engine, PROMPTS[1]).wait(), Finished)


def test_a_grammar_that_breaks_fails_its_request_and_no_other(runner):
    """SPEC 4.17, 4.145: the library gives up when a limit of its own is passed in mid-answer."""
    tokenizer = byte_tokenizer()
    prompts, ends = PromptEncoder(tokenizer, shape().vocab), frozenset({tokenizer.eos_token_id})
    engine = Engine(runner, prompts.decoder(), ends, LIMITS, lambda cid, why: None, Metrics())
    engine.start()
    grammar = GrammarCompiler(tokenizer, shape().vocab).compile(ANY_OBJECT, 30)
    broken = grammar.matcher.deep_copy()
    assert not broken.consume_token(tokenizer("x")["input_ids"][0])
    options = {"temperature": 1.0, "max_tokens": 30}
    bad = submit(engine, PROMPTS[0], grammar=replace(grammar, matcher=broken), **options)
    good = submit(engine, PROMPTS[0], grammar=grammar, **options)
    assert bad.wait().code == "constraint_broken"
    end = good.wait()
    assert isinstance(end, Finished) and isinstance(json.loads(end.text), dict)
    assert engine.close(WAIT_SECONDS)


def test_a_step_that_raises_fails_its_request_and_no_other(engine, runner, monkeypatch):
    """SPEC 4.17"""
    real = runner.prefill

    def prefill(tokens, cache, *adapted):
        if 99 in tokens:
            raise MemoryError("no room")
        return real(tokens, cache, *adapted)

    monkeypatch.setattr(runner, "prefill", prefill)
    good, bad = submit(engine, PROMPTS[0]), submit(engine, [99, 1])
    assert bad.wait() == Failed("internal_error", "MemoryError: no room")
    assert isinstance(good.wait(), Finished)


def test_a_loop_that_breaks_tells_everybody_and_takes_nothing_more(engine, monkeypatch):
    """SPEC 4.17: no request may wait for an answer that cannot come."""
    running = submit(engine, PROMPTS[0], max_tokens=480)
    assert running.first.wait(WAIT_SECONDS)
    monkeypatch.setattr("threading.excepthook", lambda _: None)
    monkeypatch.setattr(engine._scheduler, "plan", lambda: 1 / 0)
    assert running.wait().code == "worker_stopping"
    engine.wait()
    assert engine.load().closing and running.closed == 1
    with pytest.raises(EngineStopping):
        submit(engine, PROMPTS[0])


def test_limits_are_refused_at_the_door(runner):
    """SPEC 4.24"""
    small = SchedulerLimits(running=1, waiting=2, sequence_positions=50)
    engine = Engine(runner, decode, frozenset({END}), small, lambda cid, why: None, Metrics())
    with pytest.raises(RequestTooLong):
        submit(engine, PROMPTS[0], max_tokens=1000)
    submit(engine, PROMPTS[0])
    submit(engine, PROMPTS[0])
    with pytest.raises(EngineBusy):
        submit(engine, PROMPTS[0])
    engine.start()
    engine.close(0)


def test_close_lets_running_requests_end(runner):
    """SPEC 4.27"""
    engine = Engine(runner, decode, frozenset({END}), LIMITS, lambda cid, why: None, Metrics())
    engine.start()
    outcome = submit(engine, PROMPTS[0], max_tokens=30)
    assert engine.close(WAIT_SECONDS)
    assert isinstance(outcome.wait(), Finished)
    with pytest.raises(EngineStopping):
        submit(engine, PROMPTS[0])


def test_close_without_patience_tells_the_rest(runner):
    """SPEC 4.27"""
    engine = Engine(runner, decode, frozenset(), LIMITS, lambda cid, why: None, Metrics())
    engine.start()
    outcome = submit(engine, PROMPTS[0], max_tokens=480)
    outcome.first.wait(WAIT_SECONDS)
    assert not engine.close(0)
    assert outcome.wait().code == "worker_stopping"


def test_profile_changes_with_what_changes_bits():
    """SPEC 4.28"""
    ids = {profile_id(kernel, *sizes) for kernel in "ab" for sizes in itertools.product((8, 16), (16, 32))}
    assert len(ids) == 8 and profile_id("a", 8, 16) in ids
    assert profile_id("a", 8, 16, "int8") not in ids
    torch.set_num_threads(2)
    try:
        assert profile_id("a", 8, 16) not in ids
    finally:
        torch.set_num_threads(1)
