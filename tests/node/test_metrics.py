"""Metrics: counters never fall, and the text is what Prometheus reads."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.metrics import MAX_SERIES, Registry

SAMPLE = re.compile(r'[a-z_]+(\{([a-z_]+="(\\.|[^"\\\n])*",?)+\})? -?[0-9.e+inf]+', re.IGNORECASE)


@given(amounts=st.lists(st.integers(0, 10**9)))
def test_a_counter_is_the_sum_of_what_was_added(amounts: list[int]) -> None:
    counter = Registry().counter("served_total", "requests served")
    for amount in amounts:
        counter.add(amount, route="chat")
    assert counter.value(route="chat") == sum(amounts)
    assert counter.value(route="other") == 0


def test_a_counter_does_not_fall_and_names_keep_their_kind() -> None:
    registry = Registry()
    with pytest.raises(ValueError, match="cannot fall"):
        registry.counter("served_total", "requests").add(-1)
    with pytest.raises(ValueError, match="cannot be set"):
        registry.counter("served_total", "requests").set(1)
    with pytest.raises(ValueError, match="already a counter"):
        registry.gauge("served_total", "requests")
    with pytest.raises(ValueError, match="already a counter"):
        registry.histogram("served_total", "requests")
    assert registry.counter("served_total", "requests") is registry.counter("served_total", "again")


@given(values=st.lists(st.floats(0, 1000), min_size=1))
def test_histogram_buckets_are_cumulative_and_end_at_the_count(values: list[float]) -> None:
    histogram = Registry().histogram("seconds", "time", (0.1, 1.0, 10.0))
    for value in values:
        histogram.observe(value)
    counts = [float(line.split(" ")[1]) for line in histogram.lines()]
    buckets, total, count = counts[:4], counts[4], counts[5]
    assert buckets == [sum(value <= bound for value in values) for bound in (0.1, 1.0, 10.0, float("inf"))]
    assert count == len(values)
    assert total == pytest.approx(sum(values))


@given(label=st.text(max_size=20))
def test_every_line_is_a_sample_or_a_comment_whatever_the_label(label: str) -> None:
    registry = Registry()
    registry.gauge("depth", "queue depth").set(3, queue=label)
    lines = registry.render().rstrip("\n").split("\n")
    assert lines[:2] == ["# HELP depth queue depth", "# TYPE depth gauge"]
    assert len(lines) == 3
    assert SAMPLE.fullmatch(lines[2])


def test_labels_cannot_grow_without_bound() -> None:
    counter = Registry().counter("served_total", "requests")
    for number in range(MAX_SERIES + 50):
        counter.add(1, client=str(number))
    assert len(counter.values) == MAX_SERIES
