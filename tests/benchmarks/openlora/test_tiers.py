"""The tiers' figures against their bounds."""

from typing import Any

import pytest

from benchmarks.openlora.tiers import bounds_of, lines_of


def document(**changes: float) -> dict[str, Any]:
    figures = {"slot": 1.0, "disk": 20.0, "hit": 34.0, "simulated": 33.0, "grown": 104, "accounted": 100}
    figures |= changes
    return {
        "times": [
            {"what": "memory -> slot", "median": figures["slot"], "p99": 90.0},
            {"what": "disk -> slot, cold", "median": 1.0, "p99": figures["disk"]},
        ],
        "replay": {
            "registered": 10_000,
            "slots": 64,
            "hit_percent": figures["hit"],
            "simulated_percent": figures["simulated"],
            "resident_growth_bytes": figures["grown"],
            "accounted_bytes": figures["accounted"],
        },
    }


def test_all_within_their_bounds() -> None:
    assert [bound.met for bound in bounds_of(document())] == [True] * 4


@pytest.mark.parametrize(
    ("place", "changes"),
    [(0, {"slot": 2.1}), (1, {"disk": 25.5}), (2, {"hit": 30.9}), (3, {"grown": 106}), (3, {"grown": 94})],
)
def test_one_figure_out_of_bounds_is_the_one_that_falls_short(place: int, changes: dict[str, float]) -> None:
    met = [bound.met for bound in bounds_of(document(**changes))]
    assert met == [n != place for n in range(4)]


def test_what_was_not_timed_is_named_as_such() -> None:
    without = document()
    without["times"].pop()
    lines = lines_of(bounds_of(without))
    assert lines[1].endswith("not measured")
    assert lines[0].endswith("meets the goal")
