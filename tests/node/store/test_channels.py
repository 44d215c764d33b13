"""Channels on disk: the best voucher only ever grows, and a voucher opens one request."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from node.store.channels import ChannelStore, StoredChannel, StoredVoucher
from node.store.database import open_database

VOUCHER = StoredVoucher(b"\1" * 32, 10**30, 3, b"\2" * 32, 1_000, "0xa", b"sig")


@pytest.fixture
def store(tmp_path: Path) -> ChannelStore:
    return ChannelStore(open_database(tmp_path / "node.sqlite"))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30, deadline=None)
@given(
    offers=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=8),
    salt=st.binary(max_size=32),
)
def test_the_voucher_kept_is_the_best_one_in_whatever_order_they_come(
    store: ChannelStore, offers: list[tuple[int, int]], salt: bytes
) -> None:
    """SPEC 6.46"""
    channel = salt.ljust(32, b"\0")
    before = store.find_voucher(channel)
    best = max([*offers, *([(before.cumulative, before.valid_before)] if before else [])])
    for cumulative, valid_before in offers:
        store.put_voucher(
            replace(VOUCHER, channel_id=channel, cumulative=cumulative, valid_before=valid_before)
        )
    kept = store.find_voucher(channel)
    assert kept is not None
    assert (kept.cumulative, kept.valid_before) == best


def test_a_voucher_opens_one_request_and_that_one_again(store: ChannelStore) -> None:
    """SPEC 6.47"""
    assert store.spend_voucher(b"d" * 32, b"one")
    assert store.spend_voucher(b"d" * 32, b"one")
    assert not store.spend_voucher(b"d" * 32, b"two")
    assert store.spend_voucher(b"d" * 32, None)
    assert store.spend_voucher(b"e" * 32, None)
    assert not store.spend_voucher(b"e" * 32, b"two")


def test_a_channel_reads_back_as_it_was_read_from_the_chain(store: ChannelStore) -> None:
    """SPEC 6.44"""
    channel = StoredChannel(b"\1" * 32, "0xa", "0xb", 60, 2**127, 2**126, 0, 5)
    store.put_channel(channel)
    store.put_channel(replace(channel, claimed=2**127))
    assert store.find_channel(channel.channel_id) == replace(channel, claimed=2**127)
    assert len(store.channels()) == 1
