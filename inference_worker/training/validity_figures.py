"""From losses after retraining and the attribution's scores to the figures of a validity report; pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from inference_worker.attribution.method import method_id
from inference_worker.evaluation.agreement import Floats, correlate, mean_estimate
from inference_worker.evaluation.lane_probe import Probed
from inference_worker.training.retraining import retraining_recipe
from inference_worker.training.subsets import Subset, membership
from inference_worker.training.validity_course import Course, Subject
from protocol.shrinkage import Estimate
from protocol.validity import Absence, Agreement, Design, Retraining, ValidityReport

OURS, BM25, REPSIM = "attribution", "bm25", "repsim"
MICRO = 1_000_000

Losses = dict[tuple[str, int, str], Floats]


def report_of(
    subject: Subject,
    course: Course,
    retrained: Sequence[Retraining],
    predicted: Mapping[str, Floats],
    asked: Sequence[Probed],
    general: Sequence[Probed],
) -> ValidityReport:
    """The report. `predicted` is (questions, sampled rows) by method, larger where a row should make the
    answer likelier; `asked` and `general` are the lanes of the questions and of the general ones.
    """
    seed = subject.seed
    losses: Losses = {(one.kind, one.number, one.owner): np.asarray(one.losses, float) for one in retrained}
    half = [one for one in course.subsets if one.kind == "half"]
    without = [one for one in course.subsets if one.kind == "without"]
    return ValidityReport(
        method_id(subject.recipe.covariance_adapters > 0),
        subject.manifest_cid,
        subject.adapter_sha256,
        _design(subject, course),
        tuple(retrained),
        _agreement(half, losses, predicted, course.sampled, seed),
        _agreement(without, losses, predicted, course.sampled, seed),
        _payouts(subject, asked, without, losses),
        _absences(without, losses, len(course.sampled), seed),
        mean_estimate(np.asarray([one.decoy_share for one in asked]), seed) if asked else None,
        mean_estimate(np.asarray([one.unattributed for one in general]), seed) if general else None,
    )


def _design(subject: Subject, course: Course) -> Design:
    return Design(
        seed=subject.seed,
        held_out_cid=subject.held_out_cid,
        rows=len(subject.examples),
        sampled=len(course.sampled),
        passes=retraining_recipe(subject.recipe).passes,
        decoys=len(subject.index.decoys.rows),
        general=len(course.general),
    )


def _after(subsets: Sequence[Subset], losses: Losses) -> Floats:
    """(questions, subsets) held-out losses."""
    return np.stack([losses[one.kind, one.number, one.owner] for one in subsets], axis=1)


def _agreement(
    subsets: Sequence[Subset],
    losses: Losses,
    predicted: Mapping[str, Floats],
    sampled: Sequence[int],
    seed: int,
) -> Agreement | None:
    if len(subsets) < 2:
        return None
    held = np.asarray(membership(subsets, sampled), float)
    sums = {name: values @ held.T for name, values in predicted.items()}
    # What a method credits to the rows of a subset should lower the loss of whoever is trained on them.
    found = correlate(sums, -_after(subsets, losses), seed)
    by = found.by_method
    lead = (found.lead[OURS, BM25], found.lead[OURS, REPSIM])
    return Agreement(found.estimator, len(subsets), by[OURS], by[BM25], by[REPSIM], *lead)


def _payouts(
    subject: Subject, asked: Sequence[Probed], without: Sequence[Subset], losses: Losses
) -> Estimate | None:
    """Agreement of what owners would be paid with the loss when they are absent, over the questions that pay
    anyone: where nobody is paid there is nothing to shrink.
    """
    paying = [number for number, one in enumerate(asked) if one.pay]
    if len(without) < 2 or not paying:
        return None
    owner_of = {example.row: owner for example, owner in zip(subject.examples, subject.owners, strict=True)}
    pay = np.zeros((len(asked), len(without)))
    column = {one.owner: number for number, one in enumerate(without)}
    for number, one in enumerate(asked):
        for row, part in one.pay.items():
            if owner_of[row] in column:
                pay[number, column[owner_of[row]]] += part
    found = correlate({OURS: pay[paying]}, _after(without, losses)[paying], subject.seed)
    return found.by_method[OURS]


def _absences(without: Sequence[Subset], losses: Losses, sampled: int, seed: int) -> tuple[Absence, ...]:
    found = []
    for one in without:
        change = (losses["without", 0, one.owner] - losses["whole", 0, ""]) / MICRO
        found.append(Absence(one.owner, sampled - len(one.places), mean_estimate(change, seed)))
    return tuple(found)
