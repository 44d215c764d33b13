"""Penalties equal a naive reference in Python's own floats."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from inference_worker.engine.penalties import PenaltyState
from protocol.sampling import Sampling

VOCAB = 12
TOKENS = st.integers(0, VOCAB - 1)
AMOUNTS = st.floats(-2, 2, allow_nan=False)


def naive(logits, params, prompt, output):
    """Token by token, as the definitions read."""
    shaped = []
    for token, logit in enumerate(logits):
        if params.repetition_penalty != 1.0 and (token in prompt or token in output):
            by = params.repetition_penalty
            logit = logit / by if logit > 0 else logit * by
        if token in output:
            logit -= output.count(token) * params.frequency_penalty + params.presence_penalty
        shaped.append(logit + dict(params.logit_bias).get(token, 0.0))
    return shaped


@given(
    st.lists(st.floats(-30, 30, width=32), min_size=VOCAB, max_size=VOCAB),
    st.lists(TOKENS, min_size=1, max_size=8),
    st.lists(TOKENS, max_size=8),
    st.tuples(AMOUNTS, AMOUNTS, st.floats(0.1, 10)),
    st.dictionaries(TOKENS, st.floats(-100, 100), max_size=5),
)
def test_penalties_equal_the_naive_reference(logits, prompt, output, amounts, biases):
    """SPEC 4.140"""
    frequency, presence, repetition = amounts
    params = Sampling(
        frequency_penalty=frequency,
        presence_penalty=presence,
        repetition_penalty=repetition,
        logit_bias=tuple(sorted(biases.items())),
    )
    state = PenaltyState(params, prompt)
    for token in output:
        state.count(token)
    row = torch.tensor(logits)
    assert state.apply(row).tolist() == naive(row.tolist(), params, prompt, output)
    assert row.tolist() == torch.tensor(logits).tolist()


def test_prompt_tokens_count_for_repetition_alone():
    """SPEC 4.140"""
    row = torch.ones(VOCAB)
    counted = Sampling(frequency_penalty=1.0, presence_penalty=1.0)
    assert PenaltyState(counted, [3]).apply(row).tolist() == [1.0] * VOCAB
    repeated = PenaltyState(Sampling(repetition_penalty=2.0), [3]).apply(row)
    assert repeated.tolist() == [0.5 if token == 3 else 1.0 for token in range(VOCAB)]
