import json
from contextlib import suppress
from typing import cast

import pytest
from eth_hash.auto import keccak
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.attribution import Entry, Lane, PublishedReport
from protocol.epoch import Statement, build_commitment
from protocol.epoch_json import (
    LIST_NAMES,
    decode_commitment,
    decode_statement,
    encode_commitment,
    encode_statement,
    report_from_json,
    report_to_json,
    root_to_json,
)
from protocol.errors import ProtocolError, SettlementError
from protocol.lane_lists import LaneLists
from protocol.rewards import lines_of
from tests.protocol.records import account, accounts, receipt, statements
from tests.protocol.test_rewards import reports

balances = st.dictionaries(accounts, st.integers(0, 10**24), max_size=4)


@settings(max_examples=30)
@given(statements(7, 3))
def test_statements_read_back_in_one_spelling(one):
    """SPEC 7.9"""
    data = encode_statement(one)
    assert decode_statement(data) == one
    for other in (data + b" ", json.dumps(json.loads(data)).encode(), data.replace(b'"v":1', b'"v":2')):
        with pytest.raises(ProtocolError):
            decode_statement(other)


@settings(max_examples=30)
@given(statements(7, 3), st.data())
def test_changed_statement_bytes_are_another_statement_or_none(one, data):
    """SPEC 7.9"""
    raw = bytearray(encode_statement(one))
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with suppress(ProtocolError):
        assert decode_statement(bytes(raw)) != one


@settings(max_examples=20)
@given(st.tuples(statements(7, 3), statements(8, 3)), balances, st.data())
def test_commitments_read_back_with_fresh_roots(stated, previous, data):
    """SPEC 7.9"""
    made = build_commitment(3, stated, previous, keccak)
    raw = encode_commitment(made)
    assert decode_commitment(raw, keccak) == made
    assert root_to_json(made.cum_root)["total"] == str(made.total)
    changed = bytearray(raw)
    changed[data.draw(st.integers(0, len(raw) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with suppress(ProtocolError):
        other = decode_commitment(bytes(changed), keccak)
        assert (other.epoch, other.entry_root, other.cum_root) != (
            made.epoch,
            made.entry_root,
            made.cum_root,
        )


@given(reports())
def test_reports_read_back(report):
    """SPEC 0.19"""
    assert report_from_json(json.loads(json.dumps(report_to_json(report)))) == report


EMPTY: dict[str, list[str]] = {name: [] for name in LIST_NAMES}


@pytest.mark.parametrize(
    "change",
    [
        {"unattributedPpm": 999_999},
        {"methodId": "0x"},
        {"entries": [{}]},
        {"more": 1},
        {"unattributedPpm": "1000000"},
        {"lists": {**EMPTY, "span": ["-1"]}},
        {"lists": {**EMPTY, "span": [str(2**256)]}},
        {"lists": {**EMPTY, "span": ["1"] * 257}},
        {"lists": {"gradient": []}},
    ],
)
def test_bad_reports_are_refused(change):
    """SPEC 0.19, 5.2"""
    good = {"entries": [], "unattributedPpm": 1_000_000, "methodId": "0x" + "0" * 64, "lists": EMPTY}
    assert report_from_json(good).entries == ()
    with pytest.raises(ProtocolError):
        report_from_json({**good, **change})


def test_a_wrong_report_can_be_read_so_that_it_can_be_proven_wrong():
    """SPEC 7.96: entries in no order, of no lane, that make no whole."""
    entries = (Entry(cast(Lane, 9), 2**40, account(3), 2**60), Entry(Lane.SPAN, 0, account(1), 0))
    report = PublishedReport(entries, LaneLists(span=(2**200,)))
    one = receipt(1)
    lines = lines_of(one.request_id, [(account(5), one.price)])
    statement = Statement(account(7), 3, lines, (one,), (report,))
    assert decode_statement(encode_statement(statement)) == statement
    with pytest.raises(SettlementError):
        Statement(account(7), 3, lines, (one,), (report, report))
    for bad in (b'["1","2","3"]', b'["1","2","0x","4"]', b'["-1","0","' + account(1).encode() + b'","4"]'):
        spoiled = encode_statement(statement).replace(b'["2","0","' + account(1).encode() + b'","0"]', bad)
        with pytest.raises(ProtocolError):
            decode_statement(spoiled)
