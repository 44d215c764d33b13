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
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from inference_worker.attribution.gradients import LoraProbe
from inference_worker.attribution.method import INFORMATIVE_PERCENTILE, OTHER_QUESTIONS
from inference_worker.attribution.parts import Arrays, Parts
from inference_worker.attribution.point_codes import BATCH, Count, Group, groups_of
from inference_worker.base.answer_trie import answer_logprobs
from inference_worker.base.exchange import Exchange

TOKENS_PER_PASS = 1024
# Answers whose likelihoods after one question are kept together.
PART_ANSWERS = 4096

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
    parts: Parts,
    count: Count,
) -> Informative:
    """Flags of rows and decoys under the probe's single adapter, in parts that are each kept; `count(n)` is
    called after n pieces of work.
    """
    everything = [*rows, *decoys]
    own = own_logprobs(probe, everything, shared, parts, count)
    others = random.Random(seed).sample(range(len(rows)), min(OTHER_QUESTIONS, len(rows)))
    background = np.zeros((len(others), len(everything)))
    with probe.active():
        for number, place in enumerate(others):
            answers = [exchange.answer for exchange in everything]
            background[number] = _after(model, rows[place].prompt, answers, f"asked.{number}", parts, count)
            # A row's own question is no other question.
            background[number, place] = -np.inf
    return judge(own, background, len(rows))


def _after(
    model: Any, prompt: Sequence[int], answers: Sequence[Sequence[int]], name: str, parts: Parts, count: Count
) -> npt.NDArray[np.float64]:
    """log p (nats) of all answers after one question."""
    found = []
    for at in range(0, len(answers), PART_ANSWERS):
        group = answers[at : at + PART_ANSWERS]

        def compute(group: Sequence[Sequence[int]] = group) -> Arrays:
            return {"logprobs": prompted_logprobs(model, prompt, group)}

        found.append(parts.kept(f"{name}.{at}", compute, _nothing)["logprobs"])
        count(1)
    return np.concatenate(found)


def _nothing() -> None:
    pass


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
    probe: LoraProbe, exchanges: Sequence[Exchange], shared: Sequence[int], parts: Parts, count: Count
) -> npt.NDArray[np.float64]:
    """log p (nats) of each answer after its own question."""
    states = probe.states(shared)
    found = np.zeros(len(exchanges))

    def losses(batch: Sequence[int]) -> list[float]:
        computed = probe.losses([exchanges[place] for place in batch], len(shared), states)
        count(1)
        return [-float(loss.sum()) for loss in computed]

    for group in groups_of(exchanges, 0, len(exchanges), "own"):

        def compute(group: Group = group) -> Arrays:
            return {"logprobs": np.asarray([value for batch in group.batches for value in losses(batch)])}

        places = [place for batch in group.batches for place in batch]
        found[places] = parts.kept(group.name, compute, partial(count, len(group.batches)))["logprobs"]
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
    """The most pieces of work that `measure` reports."""
    questions = min(OTHER_QUESTIONS, rows) * -(-(rows + decoys) // PART_ANSWERS)
    return -(-(rows + decoys) // BATCH) + questions
