"""The retrieval lane as a game between rows: shares of what they added, and nothing for chance."""

from collections.abc import Callable
from dataclasses import replace
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.context import MAX_CONTEXT_ROWS
from protocol.errors import AttributionError, FieldError
from protocol.fields import Fields
from protocol.lanes import BASE_MICRONATS_PER_TOKEN, Lane, LaneUnits
from protocol.manifest import GRANTED, REVOKED, Manifest, ManifestRow
from protocol.retrieval import (
    EXACT_ROWS,
    MAX_MICRONATS,
    NULLS,
    Ablations,
    Null,
    draw_nulls,
    masks_of,
    null_places,
    orders_of,
    retrievable_rows,
    retrieval_lane,
    seed_of,
    shapley_sums,
)
from protocol.types import Address
from tests.protocol.records import json_values

SEED = b"seed"
MICRONATS = st.integers(-(10**9), 10**9)
Worth = Callable[[frozenset[int]], int]


def ablations(count: int, worth: Worth, base: int = 0, null: int = 0) -> Ablations:
    """Measurements of a game in which every drawn row is worth `null` beside any others."""
    orders = orders_of(count, SEED)
    values = {mask: worth(frozenset(p for p in range(count) if mask >> p & 1)) for mask in masks_of(orders)}
    everyone = frozenset(range(count))
    nulls = tuple(
        Null(900 + n, place, worth(frozenset()) + null, worth(everyone - {place}) + null)
        for n, place in enumerate(null_places(orders))
    )
    return Ablations(base, tuple(sorted(values.items())), nulls)


def lane(count: int, found: Ablations, tokens: int = 10) -> LaneUnits:
    return retrieval_lane(range(count), found, orders_of(count, SEED), tokens)


@given(st.integers(1, MAX_CONTEXT_ROWS), st.binary(max_size=4), st.data())
def test_parts_add_up_to_what_all_rows_added(count: int, seed: bytes, data: st.DataObject) -> None:
    """SPEC 5.205"""
    orders = orders_of(count, seed)
    values = {mask: data.draw(MICRONATS) for mask in masks_of(orders)}
    whole = values[(1 << count) - 1] - values[0]
    assert sum(shapley_sums(values, orders)) == len(orders) * whole
    assert {order[::-1] for order in orders} == set(orders) and all(
        sorted(order) == list(range(count)) for order in orders
    )


@given(st.integers(1, EXACT_ROWS), st.data())
def test_up_to_four_rows_the_parts_are_shapleys(count: int, data: st.DataObject) -> None:
    """SPEC 5.205: a row without effect has no part, and rows that can be exchanged have the same."""
    values = {mask: data.draw(MICRONATS) for mask in range(1 << count)}
    orders = orders_of(count, SEED)
    assert masks_of(orders) == tuple(values)
    expected = [0] * count
    for order in permutations(range(count)):
        seen = 0
        for place in order:
            expected[place] += values[seen | 1 << place] - values[seen]
            seen |= 1 << place
    assert shapley_sums(values, orders) == tuple(expected)


@given(st.integers(2, MAX_CONTEXT_ROWS), st.integers(1, 10**8), st.integers(0, 10**8))
def test_copies_together_earn_what_one_of_them_would(count: int, worth: int, other: int) -> None:
    """SPEC 5.206: all rows but the last say the same; the last adds something of its own."""
    last = count - 1
    found = lane(count, ablations(count, lambda s: worth * bool(s - {last}) + other * (last in s)))
    alone = lane(2, ablations(2, lambda s: worth * (0 in s) + other * (1 in s)))
    whole, one = (x.unattributed + sum(u for _, u in x.units) for x in (found, alone))
    copies = sum(units for row, units in found.units if row != last)
    assert abs(copies / whole - dict(alone.units).get(0, 0) / one) < 1e-5
    assert abs(dict(found.units).get(last, 0) / whole - dict(alone.units).get(1, 0) / one) < 1e-5


@given(st.integers(1, MAX_CONTEXT_ROWS), st.integers(-(10**8), 10**8), st.integers(-(10**8), 10**8))
def test_a_row_earns_what_it_adds_above_chance(count: int, worth: int, null: int) -> None:
    """SPEC 5.207: a row that adds no more than drawn rows do in its place earns nothing."""
    found = lane(count, ablations(count, lambda s: worth * len(s), null=null))
    whole = found.unattributed + sum(units for _, units in found.units)
    scale = len(orders_of(count, SEED))
    bar = max(0, null)
    assert dict(found.units) == ({row: scale * (worth - bar) for row in range(count)} if worth > bar else {})
    assert whole == scale * (max(0, worth * count) + BASE_MICRONATS_PER_TOKEN * 10)


@given(st.integers(1, MAX_CONTEXT_ROWS), st.integers(1, 4096), st.data())
def test_the_lane_leaves_out_what_base_and_adapter_had_already(
    count: int, tokens: int, data: st.DataObject
) -> None:
    """SPEC 5.208"""
    orders = orders_of(count, SEED)
    edge = st.integers(-MAX_MICRONATS, MAX_MICRONATS)
    values = {mask: data.draw(edge) for mask in masks_of(orders)}
    nulls = tuple(
        Null(n, place, data.draw(edge), data.draw(edge)) for n, place in enumerate(null_places(orders))
    )
    base = data.draw(edge)
    found = lane(count, Ablations(base, tuple(sorted(values.items())), nulls), tokens)
    gain = max(0, values[(1 << count) - 1] - values[0])
    rest = max(0, values[0] - base) + BASE_MICRONATS_PER_TOKEN * tokens
    paid = sum(units for _, units in found.units)
    assert found.lane is Lane.RETRIEVAL and found.ran
    assert paid + found.unattributed == len(orders) * (gain + rest)
    assert paid <= len(orders) * gain and found.unattributed > 0


def test_measurements_of_other_rows_are_refused() -> None:
    """SPEC 5.209"""
    good = ablations(3, lambda s: 10**6 * len(s))
    assert lane(3, good).units
    wrong = [
        replace(good, values=good.values[1:]),
        replace(good, values=(*good.values, (200, 1))),
        replace(good, values=good.values[::-1]),
        replace(good, nulls=good.nulls[1:]),
        replace(good, nulls=(replace(good.nulls[0], place=1), *good.nulls[1:])),
    ]
    for one in wrong:
        with pytest.raises(AttributionError):
            lane(3, one)
    for count in (0, MAX_CONTEXT_ROWS + 1):
        with pytest.raises(AttributionError):
            orders_of(count, SEED)


@given(st.sets(st.integers(0, 10**6), max_size=40), st.data(), st.binary(max_size=8))
def test_chance_is_measured_with_drawn_rows_that_were_not_retrieved(
    eligible: set[int], data: st.DataObject, seed: bytes
) -> None:
    """SPEC 5.207, 5.212"""
    rows = sorted(eligible)
    retrieved = data.draw(st.lists(st.sampled_from(rows), max_size=8, unique=True)) if rows else []
    drawn = draw_nulls(rows, retrieved, seed)
    if len(eligible - set(retrieved)) < NULLS:
        assert drawn == ()
    else:
        assert len(set(drawn)) == NULLS and set(drawn) <= eligible - set(retrieved)
        assert drawn == draw_nulls(rows, retrieved, seed)


def test_draws_follow_the_answer_alone() -> None:
    """SPEC 5.207: whoever has the answer can draw again; another answer draws otherwise."""
    seed = seed_of("index", "manifest", (1, 2), (3,))
    others = [
        seed_of("other", "manifest", (1, 2), (3,)),
        seed_of("index", "other", (1, 2), (3,)),
        seed_of("index", "manifest", (1,), (2, 3)),
        seed_of("index", "manifest", (1, 2), (4,)),
    ]
    assert len({seed, *others}) == 5
    assert len({draw_nulls(range(10**6), (), one) for one in (seed, *others)}) == 5
    assert len({orders_of(8, one) for one in (seed, *others)}) == 5
    # Known by heart, so that no other version of Python draws otherwise.
    assert draw_nulls(range(100), (), b"fixed") == KNOWN_NULLS
    assert orders_of(6, b"fixed")[0] == KNOWN_ORDER


KNOWN_NULLS = (4, 61, 79, 44, 8, 67, 41, 59)
KNOWN_ORDER = (1, 0, 5, 4, 2, 3)


def test_open_rows_under_consent_that_copy_none_may_be_retrieved() -> None:
    """SPEC 5.202"""
    owner, cid = Address("0x" + "aa" * 20), "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku"
    facts = [
        (0, GRANTED, False),
        (0, GRANTED, False),
        (2, REVOKED, False),
        (3, GRANTED, True),
        (4, GRANTED, False),
    ]
    rows = tuple(
        ManifestRow(n, "0x" + f"{n:064x}", owner, cluster, "CC0-1.0", consent, gated, cid)
        for n, (cluster, consent, gated) in enumerate(facts)
    )
    assert retrievable_rows(Manifest(1, 1, 0, rows, ())) == (0, 4)


@given(json_values())
def test_no_value_raises_anything_but_a_field_error(value: object) -> None:
    """SPEC 0.19"""
    good = ablations(2, len).to_json()
    assert Ablations.read(Fields(dict(good), "ablations")) == ablations(2, len)
    for name in good:
        try:
            found = Ablations.read(Fields({**good, name: value}, "ablations"))
        except FieldError:
            continue
        assert Ablations.read(Fields(found.to_json(), "ablations")) == found
