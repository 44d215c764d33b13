"""aLoRA: equal to PEFT, the same bits in any company, and beginnings shared with the base."""

from dataclasses import replace

import pytest
import torch
from peft import PeftModel
from transformers import LlamaForCausalLM

from inference_worker.adapters.quantised import quantise
from inference_worker.engine.job import GenerationJob
from inference_worker.engine.linear import packing_works
from inference_worker.engine.pieces import cuts_within
from inference_worker.engine.scheduler import SchedulerLimits
from inference_worker.engine.sequence import Finished
from tests.inference_worker.adapters.peft_folders import shape
from tests.inference_worker.adapters.peft_saved import saved_by_peft
from tests.inference_worker.engine.decoding import load_adapter
from tests.inference_worker.engine.recorded import assert_same, taken
from tests.inference_worker.engine.requests import WAIT_SECONDS, Outcome, running_engine, sampled, submit

INVOCATION, OTHER = [44, 7, 201], [9, 9]
TOLERANCE, STEPS = 5e-4, 10
NO_END = frozenset()
PIECES = {"prefill_tokens": 16, "first_piece": 8}
ROOMY = SchedulerLimits(running=8, waiting=64, total_positions=8192, sequence_positions=512, **PIECES)
TIGHT = SchedulerLimits(running=8, waiting=64, total_positions=160, sequence_positions=512, **PIECES)
WHOLE = SchedulerLimits(running=8, waiting=64, total_positions=8192, sequence_positions=512)
needs_packing = pytest.mark.skipif(not packing_works(), reason="bits are promised for the packed kernel")

STEM = [(11 * i) % 250 + 1 for i in range(60)]


def invoked_at(place, length, tokens=INVOCATION):
    """A prompt of this length with the tokens from `place` on, and nowhere else."""
    return [*STEM[:place], *tokens, *STEM[place : length - len(tokens)]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("alora")


@pytest.fixture(scope="module")
def alora(base_folder, folder):
    options = {"rank": 5, "alpha": 9, "alora_invocation_tokens": INVOCATION}
    return load_adapter("alora", saved_by_peft(base_folder, folder, seed=2, **options))


@pytest.fixture(scope="module")
def second(base_folder, tmp_path_factory):
    options = {"modules": ("q_proj", "v_proj", "down_proj"), "alora_invocation_tokens": OTHER}
    return load_adapter("second", saved_by_peft(base_folder, tmp_path_factory.mktemp("b"), seed=3, **options))


@pytest.fixture(scope="module")
def reference(base_folder, folder, alora):
    return PeftModel.from_pretrained(LlamaForCausalLM.from_pretrained(base_folder), folder).eval()


def generated_by_peft(model, prompt):
    """Tokens and the logits that chose them, (STEPS, vocab), of PEFT's own greedy generation."""
    with torch.no_grad():
        result = model.generate(
            input_ids=torch.tensor([prompt]),
            attention_mask=torch.ones(1, len(prompt), dtype=torch.long),
            max_new_tokens=STEPS,
            min_new_tokens=STEPS,
            do_sample=False,
            output_logits=True,
            return_dict_in_generate=True,
            pad_token_id=0,
            eos_token_id=None,
        )
    return result.sequences[0, len(prompt) :].tolist(), torch.cat(result.logits)


def answered(engine, prompt, adapter, seed=0, tenant="t"):
    return submit(engine, prompt, adapter, tenant, seed=seed, max_tokens=STEPS).wait()


CASES = {
    "at the beginning": invoked_at(0, 20),
    "inside the first piece": invoked_at(3, 30),
    "at a cut": invoked_at(8, 40),
    "across a cut": invoked_at(15, 40),
    "in a later piece": invoked_at(37, 55),
    "at the end": invoked_at(40, 43),
    "twice": [*invoked_at(4, 20), *invoked_at(9, 25)],
    "not at all": STEM[:30],
    "in part": [*STEM[:30], *INVOCATION[:2]],
}


@pytest.mark.parametrize("limits", [WHOLE, ROOMY], ids=["whole", "pieces"])
@pytest.mark.parametrize("name", CASES)
def test_alora_equals_peft_wherever_it_is_invoked(runner, alora, reference, chosen_from, name, limits):
    """SPEC 4.210: its own generation is the oracle, which looks for the tokens in the prompt alone."""
    tokens, logits = generated_by_peft(reference, CASES[name])
    with running_engine(runner, limits, NO_END) as engine:
        ended = answered(engine, CASES[name], alora)
    assert (taken(chosen_from)[0] - logits).abs().max() <= TOLERANCE
    assert list(ended.output_ids) == tokens


@needs_packing
def test_not_invoked_it_is_the_base_and_invoked_it_is_not(runner, alora, chosen_from):
    """SPEC 4.210: what the comparison with PEFT would also pass if nothing were ever adapted."""
    for seed, (name, adapter) in enumerate(
        [("not at all", None), ("not at all", alora), ("at the end", None), ("at the end", alora)]
    ):
        with running_engine(runner, ROOMY, NO_END) as engine:
            answered(engine, CASES[name], adapter, seed)
    seen = taken(chosen_from)
    assert torch.equal(seen[0], seen[1])
    assert (seen[2][0] - seen[3][0]).abs().max() > 0.05


def test_not_invoked_it_takes_no_room_beside_the_batch(runner, adapters, alora):
    """SPEC 4.210: with room for one adapter, what only looks like a second one goes on beside the first."""
    ended = []

    def ask(name, prompt, adapter, max_tokens):
        outcome = Outcome()

        def closed():
            ended.append(name)
            outcome.on_closed()

        params = sampled(max_tokens)
        engine.submit(GenerationJob(tuple(prompt), params, adapter, name, outcome.emit, closed))
        return outcome

    with running_engine(runner, replace(ROOMY, lane_bytes=1), NO_END) as engine:
        long = ask("long", STEM[:20], adapters[0], 300)
        assert long.first.wait(WAIT_SECONDS)
        others = [ask("invoked", CASES["at the end"], alora, 2), ask("not invoked", STEM[:20], alora, 2)]
        assert all(isinstance(outcome.wait(), Finished) for outcome in (long, *others))
    assert ended == ["not invoked", "long", "invoked"]


@needs_packing
def test_tokens_that_the_answer_holds_invoke_nothing(runner, alora, chosen_from):
    """SPEC 4.210: the place is the prompt's, or the keys behind an answer would no longer be its own."""
    bias = {"logit_bias": ((INVOCATION[0], 100.0),), "max_tokens": STEPS}
    single = replace(alora, cid="single", invocation=(INVOCATION[0],))
    for seed, adapter in enumerate((None, single)):
        with running_engine(runner, ROOMY, NO_END) as engine:
            ended = submit(engine, STEM[:20], adapter, seed=seed, **bias).wait()
            assert ended.output_ids == (INVOCATION[0],) * STEPS
    seen = taken(chosen_from)
    assert torch.equal(seen[0], seen[1])


@needs_packing
@pytest.mark.parametrize("limits", [ROOMY, TIGHT], ids=["room", "preempted"])
@pytest.mark.parametrize("form", ["float32", "int8"])
def test_a_mixed_batch_gives_each_its_own_bits(runner, adapters, alora, second, chosen_from, limits, form):
    """SPEC 4.211: beside the base, ordinary adapters and other aLoRA adapters, in pieces, and preempted."""
    if form == "int8":
        alora = quantise(alora, shape())
        assert alora.invocation == tuple(INVOCATION)
    batch = [
        *((prompt, alora) for prompt in CASES.values()),
        (invoked_at(12, 30, OTHER), second),
        (invoked_at(12, 30), second),
        (CASES["at a cut"], None),
        (CASES["at a cut"], adapters[0]),
        (CASES["in a later piece"], adapters[2]),
    ]
    for seed, (prompt, adapter) in enumerate(batch):
        with running_engine(runner, ROOMY, NO_END) as engine:
            answered(engine, prompt, adapter, seed)
    alone = taken(chosen_from)
    with running_engine(runner, limits, NO_END) as engine:
        waiting = [submit(engine, p, a, seed=i, max_tokens=STEPS) for i, (p, a) in enumerate(batch)]
        assert all(isinstance(outcome.wait(), Finished) for outcome in waiting)
    assert_same(taken(chosen_from), alone)


def reused(engine, prompt, adapter, seed, tenant="t"):
    """Prompt positions that were not run again."""
    before = engine.metrics.value("prefix_positions_total")
    answered(engine, prompt, adapter, seed, tenant)
    return engine.metrics.value("prefix_positions_total") - before


def last_cut(upto):
    return max((0, *cuts_within(upto, PIECES["first_piece"], PIECES["prefill_tokens"])))


@needs_packing
@pytest.mark.parametrize("place", [0, 5, 8, 9, 16, 31, 32, 40])
def test_the_base_and_other_adapters_share_what_comes_before(runner, alora, second, chosen_from, place):
    """SPEC 4.211: in every order of asking, each bit as without anything kept."""
    prompts = [invoked_at(place, 50), invoked_at(place, 50, OTHER)]
    asked = [(prompts[0], None), (prompts[0], alora), (prompts[1], second), (prompts[0], alora)]
    for seed, (prompt, adapter) in enumerate(asked):
        with running_engine(runner, ROOMY, NO_END) as engine:
            answered(engine, prompt, adapter, seed)
    alone = taken(chosen_from)
    before, whole = last_cut(place), last_cut(49)
    with running_engine(runner, ROOMY, NO_END) as engine:
        assert [reused(engine, *one, seed) for seed, one in enumerate(asked)] == [0, before, before, whole]
    assert_same(taken(chosen_from), alone)
    with running_engine(runner, ROOMY, NO_END) as engine:
        assert reused(engine, *asked[1], 1) == 0
        assert reused(engine, *asked[0], 0) == before
        assert reused(engine, *asked[1], 3, tenant="u") == 0
    assert torch.equal((seen := taken(chosen_from))[0], alone[0]) and torch.equal(seen[1], alone[1])


LATER = {
    "in another piece": (invoked_at(4, 40), [*invoked_at(4, 40), *INVOCATION, 5], 40),
    # The first piece, of eight tokens, is the same in both, adapted from 1 in the one, from 7 in the other.
    "across the first cut": (
        [3, *INVOCATION, 5, 5, 5, INVOCATION[0], 5, 5, *STEM[:30]],
        [3, *INVOCATION, 5, 5, 5, *INVOCATION, *STEM[:30]],
        0,
    ),
}


@needs_packing
@pytest.mark.parametrize("name", LATER)
def test_a_later_invocation_is_another_beginning(runner, alora, chosen_from, name):
    """SPEC 4.211: tokens that follow decide which earlier ones are adapted, and the keys are told apart."""
    early, late, common = LATER[name]
    for seed, prompt in enumerate((early, late)):
        with running_engine(runner, ROOMY, NO_END) as engine:
            answered(engine, prompt, alora, seed)
    alone = taken(chosen_from)
    with running_engine(runner, ROOMY, NO_END) as engine:
        assert reused(engine, early, alora, 0) == 0
        assert reused(engine, late, alora, 1) == 0
        assert reused(engine, late, None, 2) == last_cut(common)
    assert_same({seed: rows for seed, rows in taken(chosen_from).items() if seed < 2}, alone)
