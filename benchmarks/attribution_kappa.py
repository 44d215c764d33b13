"""How near kappa comes to the truth with few retrainings: `python -m benchmarks.attribution_kappa`.

Simulated Datanets in which the agreement of pay and effect is known. Effects, the attribution's errors and
the noise of retraining are each shared among questions (rank 4), so that questions are no independent
witnesses of a retraining. Printed for each number of left-out contributors: root mean squared error of rho
as believed, as measured alone and by default alone, and how much squared error of pay each costs above the
best possible. A few minutes of one core; seeded, so it prints the same again.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

import numpy as np

from inference_worker.evaluation.agreement import Floats, correlate
from protocol.shrinkage import DEFAULT_RHO_PPM, shrinkage

PPM = 1_000_000
WORLDS, QUESTIONS, RANK = 60, 48, 4
CONTRIBUTORS = (3, 6, 12, 24)
# Correlation of two retrainings on the same rows in another order, as measured on small sets.
RELIABILITY = 0.7
SPREAD = 0.15


@dataclass(frozen=True)
class World:
    """Agreement in truth, and what an audit sees: (questions, contributors) pay and losses."""

    rho: float
    pay: Floats
    losses: Floats


def shared(drawn: np.random.Generator, contributors: int) -> Floats:
    """Unit-variance values whose questions share RANK directions."""
    left, right = drawn.normal(size=(QUESTIONS, RANK)), drawn.normal(size=(RANK, contributors))
    found: Floats = left @ right / np.sqrt(RANK)
    return found


def make_world(drawn: np.random.Generator, contributors: int) -> World:
    """Pay is effect plus error, losses are effect plus the noise of retraining."""
    rho = float(np.clip(drawn.normal(DEFAULT_RHO_PPM / PPM, SPREAD), 0.05, 0.98))
    effect = shared(drawn, contributors)
    error = shared(drawn, contributors) * np.sqrt(1 / rho**2 - 1)
    noise = shared(drawn, contributors) * np.sqrt(1 / RELIABILITY - 1)
    return World(rho, effect + error, effect + noise)


def loss_of_pay(kappa: float, rho: float) -> float:
    """Squared error of kappa · pay as an estimate of the effect, above that of the best kappa."""
    best = rho**2
    return (kappa - best) ** 2 / best


def measure(contributors: int) -> list[str]:
    """One line of the table."""
    drawn = np.random.default_rng(contributors)
    errors: dict[str, list[float]] = {"rule": [], "measured": [], "default": []}
    costs: dict[str, list[float]] = {name: [] for name in errors}
    for number in range(WORLDS):
        world = make_world(drawn, contributors)
        found = correlate({"pay": world.pay}, world.losses, number).by_method["pay"]
        believed = {
            "rule": shrinkage(found, contributors).rho_ppm / PPM,
            "measured": max(0.0, found.ppm / PPM),
            "default": DEFAULT_RHO_PPM / PPM,
        }
        for name, rho in believed.items():
            errors[name].append(rho - world.rho)
            costs[name].append(loss_of_pay(max(0.0, rho) ** 2, world.rho))
    rms = [f"{np.sqrt(np.mean(np.square(errors[name]))):>10.3f}" for name in errors]
    cost = [f"{np.mean(costs[name]):>10.3f}" for name in costs]
    return [f"{contributors:>12}", *rms, *cost]


def main() -> int:
    """Prints the table."""
    head = ["contributors", *(f"{name:>10}" for name in ("rule", "measured", "default") * 2)]
    sys.stdout.write("RMS error of rho, then excess squared error of pay\n" + "".join(head) + "\n")
    for contributors in CONTRIBUTORS:
        sys.stdout.write("".join(measure(contributors)) + "\n")
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
