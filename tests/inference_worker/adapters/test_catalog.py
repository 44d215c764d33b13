"""The catalogue: small, bounded, counting."""

import sys

from inference_worker.adapters.catalog import Catalog
from inference_worker.blobs.node_blobs import cid_of


def test_requests_are_counted_and_registering_counts_none():
    """SPEC 4.108"""
    catalog = Catalog()
    for cid in ("a", "b", "a"):
        catalog.register(cid)
    for cid in ("b", "c", "b"):
        catalog.ask(cid)
    assert catalog.requests() == {"a": 0, "c": 1, "b": 2}
    assert list(catalog.requests()) == ["a", "c", "b"]
    assert catalog.forget("a") and not catalog.forget("a") and len(catalog) == 2


def test_the_least_recently_asked_for_is_forgotten_beyond_the_bound():
    """SPEC 4.108"""
    catalog = Catalog(max_entries=3)
    for cid in ("a", "b", "c", "a", "d", "e"):
        catalog.ask(cid)
    assert catalog.requests() == {"a": 2, "d": 1, "e": 1}
    catalog.register("f")
    assert set(catalog.requests()) == {"d", "e", "f"}


def test_ten_thousand_entries_take_less_than_one_small_adapter():
    """SPEC 4.108"""
    catalog = Catalog()
    cids = [cid_of(number.to_bytes(4, "big")) for number in range(10_000)]
    for cid in cids:
        catalog.register(cid)
    text = sum(sys.getsizeof(cid) for cid in cids)
    assert sys.getsizeof(catalog._requests) + text < 4 << 20
