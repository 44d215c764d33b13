"""The load report: nothing appears from nowhere, nothing is lost, nothing unmeasured is a figure."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.serving.load_report import ABSENT, UNUSED, Cost, Deployed, LoadReport, cost_of, load_report
from node.serving.worker_adapters import AdapterLine, AdapterUse, Residency, TierLine, samples

TIERS = (TierLine("host", 30, 100), TierLine("disk", 60, 200), TierLine("fetching", 0, 50))
TEXT = """# HELP x
openledger_worker_adapter_lookups_total{outcome="hit",tier="host"} 3
openledger_worker_adapter_lookups_total{outcome="miss",tier="host"} 1
openledger_worker_adapter_lookups_total{outcome="miss",tier="disk"} 5
openledger_worker_running 2
openledger_worker_waiting 7
openledger_worker_start_time_seconds 1790000000
"""


def line(cid: str, state: str = "resident", **use: int) -> AdapterLine:
    return AdapterLine(cid, state, 10, 20, 0, False, 0, "", "", replace(UNUSED, **use))


def report(*lines: AdapterLine, deployed: tuple[Deployed, ...] | None = None) -> LoadReport:
    return load_report(Residency(TIERS, UNUSED, lines), samples(TEXT), deployed)


def test_gauges_and_hit_rates_are_the_counters() -> None:
    """SPEC 4.200"""
    found = report()
    assert (found.since, found.running, found.waiting) == (1_790_000_000, 2, 7)
    assert [tier.hit_ppm for tier in found.tiers] == [750_000, 0, None]
    assert [tier.account for tier in found.tiers] == list(TIERS)


NAMED = st.dictionaries(
    st.sampled_from("abcdef"), st.lists(st.sampled_from(["m", "n", "o"]), max_size=3), max_size=6
)


@given(st.sets(st.sampled_from("abcd")), NAMED, st.sets(st.sampled_from("abcd")))
def test_every_adapter_and_every_deployed_model_is_there_once(
    known: set[str], named: dict[str, list[str]], used: set[str]
) -> None:
    """SPEC 4.200: unused is what is deployed and answered nothing, heard of by the worker or not."""
    deployed = tuple(Deployed(name, cid) for cid, names in named.items() for name in names)
    lines = [line(cid, answers=int(cid in used)) for cid in sorted(known)]
    found = report(*lines, deployed=deployed)
    offered = {model.adapter_cid for model in deployed}
    assert sorted(row.line.cid for row in found.rows) == sorted(known | offered)
    assert sorted(name for row in found.rows for name in row.names) == sorted(m.name for m in deployed)
    assert {row.line.cid for row in found.unused} == offered - (used & known)
    assert {row.line.cid for row in found.rows if row.line.state == ABSENT} == offered - known


def test_where_no_node_tells_what_is_deployed_all_that_is_not_refused_is() -> None:
    """SPEC 4.200"""
    lines = [line("a"), line("b", "registered"), line("c", "quarantined"), line("d", answers=1)]
    assert [row.line.cid for row in report(*lines).unused] == ["a", "b"]
    assert report(*lines, deployed=()).unused == ()


@pytest.mark.parametrize(
    ("use", "seconds", "moved"),
    [
        ({}, None, None),
        ({"step_microseconds": 9, "loads": 1, "moved_bytes": 7}, None, None),
        ({"prompt_tokens": 30, "output_tokens": 10, "step_microseconds": 2_000_000}, 50.0, 0),
        ({"output_tokens": 1000, "load_cpu_microseconds": 500_000, "moved_bytes": 2048}, 0.5, 2048),
        ({"prompt_tokens": 500, "step_microseconds": 1, "load_cpu_microseconds": 2}, 6e-6, 0),
    ],
)
def test_cost_is_what_was_measured_by_the_tokens_served(
    use: dict[str, int], seconds: float | None, moved: int | None
) -> None:
    """SPEC 4.201: and none where no token was served."""
    cost = cost_of(replace(UNUSED, **use))
    assert cost.seconds == (None if seconds is None else pytest.approx(seconds))
    assert cost.moved == moved
    assert cost.price(7200) == (None if seconds is None else pytest.approx(2 * seconds))


@given(st.lists(st.tuples(st.integers(0, 10**9), st.integers(0, 10**9), st.integers(1, 10**6)), min_size=1))
def test_the_costs_of_all_adapters_make_the_cost_of_all_tokens(
    uses: list[tuple[int, int, int]],
) -> None:
    """SPEC 4.201: the mean by tokens is the cost of the sum."""
    costs = [Cost(tokens, step, load, 0) for step, load, tokens in uses]
    total = Cost(*(sum(values) for values in zip(*((c.tokens, c.step_microseconds, c.load_microseconds, 0)
                                                   for c in costs), strict=True)))  # fmt: skip
    mean = sum((c.seconds or 0) * c.tokens for c in costs) / total.tokens
    assert total.seconds == pytest.approx(mean)


def test_the_costliest_comes_first() -> None:
    """SPEC 4.200"""
    lines = [line("a", step_microseconds=1), line("b", load_cpu_microseconds=5), line("c")]
    assert [row.line.cid for row in report(*lines).rows] == ["b", "a", "c"]


def test_a_use_has_one_field_for_each_figure() -> None:
    """The zero use is made by position; a new field must not shift it."""
    assert AdapterUse(**dict.fromkeys(AdapterUse.__dataclass_fields__, 0)) == UNUSED
