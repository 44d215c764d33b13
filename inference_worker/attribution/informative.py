"""Which rows taught the model anything: does the question make its own answer likelier than other
questions do?

For a row (x, y) the trained adapter's log p(y|x) is set against log p(y|x') for a dozen other questions x'.
A row whose own question does not beat nine in ten of them ties no question to its answer, and earns nothing
in the gradient lane: it may share tokens with an answer, but the answer is not owed to it. Each row is
measured against itself alone, so that no subject is favoured by which questions were drawn. Where not even
half of the rows pass, the Datanet's questions do not predict its answers, the test says nothing, and all
rows pass.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from inference_worker.attribution.gradients import LoraProbe
from inference_worker.attribution.method import INFORMATIVE_PERCENTILE, OTHER_QUESTIONS
from inference_worker.base.answer_trie import answer_logprobs
from inference_worker.base.exchange import Exchange

BATCH = 8
TOKENS_PER_PASS = 1024

Flags = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Informative:
    """1 for each row, and each decoy, that passes."""

    rows: Flags
    decoys: Flags


def measure(
    model: Any,
    probe: LoraProbe,
    rows: Sequence[Exchange],
    decoys: Sequence[Exchange],
    shared: Sequence[int],
    seed: int,
    count: Callable[[], None],
) -> Informative:
    """Flags of rows and decoys under the probe's single adapter; `count` is called after each piece of
    work.
    """
    everything = [*rows, *decoys]
    own = own_logprobs(probe, everything, shared, count)
    others = random.Random(seed).sample(range(len(rows)), min(OTHER_QUESTIONS, len(rows)))
    background = np.zeros((len(others), len(everything)))
    with probe.active():
        for number, place in enumerate(others):
            background[number] = prompted_logprobs(model, rows[place].prompt, [e.answer for e in everything])
            # A row's own question is no other question.
            background[number, place] = -np.inf
            count()
    return judge(own, background, len(rows))


def judge(own: npt.NDArray[np.float64], background: npt.NDArray[np.float64], rows: int) -> Informative:
    """Flags from log-likelihoods in nats: `own` (n,) after the own question, `background` (questions, n)
    after others; the first `rows` are rows, the rest decoys.
    """
    if not len(background):
        return Informative(np.ones(rows, np.uint8), np.ones(len(own) - rows, np.uint8))
    beaten = 100 * (background < own).sum(axis=0)
    passes = (beaten >= INFORMATIVE_PERCENTILE * len(background)).astype(np.uint8)
    if 2 * int(passes[:rows].sum()) < rows:
        passes[:] = 1
    return Informative(passes[:rows], passes[rows:])


def own_logprobs(
    probe: LoraProbe, exchanges: Sequence[Exchange], shared: Sequence[int], count: Callable[[], None]
) -> npt.NDArray[np.float64]:
    """log p (nats) of each answer after its own question."""
    states = probe.states(shared)
    found = np.zeros(len(exchanges))
    order = sorted(range(len(exchanges)), key=lambda place: (exchanges[place].length, place))
    for at in range(0, len(order), BATCH):
        places = order[at : at + BATCH]
        losses = probe.losses([exchanges[place] for place in places], len(shared), states)
        found[places] = [-float(loss.sum()) for loss in losses]
        count()
    return found


def prompted_logprobs(
    model: Any, prompt: Sequence[int], answers: Sequence[Sequence[int]]
) -> npt.NDArray[np.float64]:
    """log p (nats) of every answer after one question, as many per pass as fit TOKENS_PER_PASS."""
    found: list[float] = []
    group: list[Sequence[int]] = []
    for answer in answers:
        if group and sum(map(len, group)) + len(answer) > TOKENS_PER_PASS:
            found += answer_logprobs(model, prompt, group, 0, ())
            group = []
        group.append(answer)
    if group:
        found += answer_logprobs(model, prompt, group, 0, ())
    return np.asarray(found)


def units_of_work(rows: int, decoys: int) -> int:
    """Times that `measure` calls `count`."""
    return -(-(rows + decoys) // BATCH) + min(OTHER_QUESTIONS, rows)
