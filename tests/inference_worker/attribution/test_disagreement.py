import numpy as np

from inference_worker.attribution.covariance import encode_answer, encode_losses, encode_table
from inference_worker.attribution.disagreement import PathShares, compare_paths
from tests.inference_worker.attribution.simulated_losses import simulated

OWNERS = np.repeat(np.arange(12), 10)


def world(boosted: int | None = None, seed: int = 3) -> list[PathShares]:
    """Twelve owners in a world whose truth is known; gradient scores are the truth with noise, and `boosted`
    has made its own large for every answer.
    """
    own, asked, effect = simulated(rows=120, adapters=48, answers=40, noise=0.3, seed=seed)
    table = encode_table(own, len(own))
    gradient = effect + np.random.default_rng(seed).normal(0, 0.2, effect.shape)
    if boosted is not None:
        gradient[:, boosted == OWNERS] += 2.0
    scores = [np.rint(answer * 10**9).astype(np.int64) for answer in gradient]
    return compare_paths(scores, [encode_answer(answer, table.level) for answer in asked], table.rows, OWNERS)


def test_an_owner_whom_only_the_gradient_favours_is_found() -> None:
    """SPEC 5.152: it alone, and no one where nobody cheats."""
    for boosted in (0, 7):
        assert [shares.owner for shares in world(boosted) if shares.is_alarming] == [boosted]
    alarms = [shares for seed in range(5) for shares in world(seed=seed) if shares.is_alarming]
    assert len(alarms) <= 2, alarms


def test_contributors_are_measured_against_the_median_one() -> None:
    """SPEC 5.152"""
    found = world()
    for values in (np.array([s.gradient for s in found]), np.array([s.covariance for s in found])):
        assert abs(np.median(values)) < 1e-9 and abs(np.median(np.abs(values)) - 1) < 1e-9


def test_nothing_to_compare_raises_no_alarm() -> None:
    """SPEC 5.152"""
    rows = encode_losses(np.zeros((6, 16)), 0.0)
    flat = [np.zeros(6, dtype=np.int64)]
    found = compare_paths(flat, [np.zeros(16, np.int8)], rows, np.array([0, 0, 1, 1, 2, 2]))
    assert len(found) == 3 and not any(shares.is_alarming for shares in found)
