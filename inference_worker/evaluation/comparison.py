"""Specialist against base on the same questions: mean reciprocal ranks, paired bootstrap, and a plain
verdict.

Everything leaves here as integer ppm. The verdict says so when the interval spans zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

RESAMPLES = 10_000
CONFIDENCE_PERCENT = 95
PPM = 1_000_000
MEMORISED_GAP_PPM = 150_000


@dataclass(frozen=True)
class Interval:
    """Bounds of the paired mean difference, in ppm of reciprocal rank."""

    low: int
    high: int


@dataclass(frozen=True)
class Evaluation:
    """Mean reciprocal ranks and their difference in ppm; `train_*` are the same figures on rows it was
    trained on.
    """

    questions: int
    candidates: int
    base_mrr_ppm: int
    specialist_mrr_ppm: int
    gain_ppm: int
    gain_low_ppm: int
    gain_high_ppm: int
    train_questions: int
    base_train_mrr_ppm: int
    train_mrr_ppm: int
    verdict: str
    memorisation: str

    def to_json(self) -> dict[str, object]:
        """Plain values for job results and the bundle."""
        return asdict(self)


def bootstrap_interval(differences: Sequence[float], seed: int = 0, resamples: int = RESAMPLES) -> Interval:
    """Percentile interval of the mean of paired differences under resampling of questions."""
    values = np.asarray(differences, dtype=np.float64)
    generator = np.random.Generator(np.random.PCG64(seed))
    picks = generator.integers(0, len(values), size=(resamples, len(values)))
    tail = (100 - CONFIDENCE_PERCENT) / 2
    low, high = np.percentile(values[picks].mean(axis=1), [tail, 100 - tail])
    return Interval(round(float(low) * PPM), round(float(high) * PPM))


def compare(
    base: Sequence[float],
    specialist: Sequence[float],
    base_train: Sequence[float],
    train: Sequence[float],
    candidates: int,
) -> Evaluation:
    """The evaluation of reciprocal ranks given question by question, in the same order for both models."""
    differences = [s - b for s, b in zip(specialist, base, strict=True)]
    interval = bootstrap_interval(differences)
    gain = mean_ppm(differences)
    held_out_gain, train_gain = gain, mean_ppm(train) - mean_ppm(base_train)
    return Evaluation(
        questions=len(base),
        candidates=candidates,
        base_mrr_ppm=mean_ppm(base),
        specialist_mrr_ppm=mean_ppm(specialist),
        gain_ppm=gain,
        gain_low_ppm=interval.low,
        gain_high_ppm=interval.high,
        train_questions=len(train),
        base_train_mrr_ppm=mean_ppm(base_train),
        train_mrr_ppm=mean_ppm(train),
        verdict=verdict(gain, interval),
        memorisation=memorisation(held_out_gain, train_gain, len(train)),
    )


def mean_ppm(values: Sequence[float]) -> int:
    """Mean in ppm, 0 for no values."""
    return round(sum(values) / len(values) * PPM) if values else 0


def verdict(gain: int, interval: Interval) -> str:
    """One sentence that claims no more than the interval allows."""
    bounds = f"{CONFIDENCE_PERCENT} % interval {as_decimal(interval.low)} to {as_decimal(interval.high)}"
    if interval.low > 0:
        return (
            f"The specialist ranks the true answer higher than its base ({as_decimal(gain)} MRR, {bounds})."
        )
    if interval.high < 0:
        return f"The specialist is worse than its base ({as_decimal(gain)} MRR, {bounds})."
    return (
        f"No difference from the base is shown: the interval spans zero ({as_decimal(gain)} MRR, {bounds})."
    )


def memorisation(held_out_gain: int, train_gain: int, train_questions: int) -> str:
    """Whether the gain on trained rows carries over to rows never seen."""
    if train_questions == 0:
        return "Not measured: no trained rows were ranked."
    told = f"gain {as_decimal(train_gain)} on trained rows, {as_decimal(held_out_gain)} on held-out ones"
    if train_gain - held_out_gain > MEMORISED_GAP_PPM:
        return f"Part of what it knows is memorised: {told}."
    return f"What it learnt carries over: {told}."


def as_decimal(ppm: int) -> str:
    """A signed figure with three decimals."""
    return f"{ppm / PPM:+.3f}"
