from dataclasses import replace
from itertools import pairwise

import pytest
from eth_abi import encode
from eth_hash.auto import keccak
from hypothesis import given
from hypothesis import strategies as st

from protocol.attribution import Lane, LaneUnits, merge, unattributed_report
from protocol.errors import EncodingError, SettlementError, SharesDoNotSum
from protocol.parameters import BURN_ACCOUNT, DEFAULT_WEIGHTS, DEFAULTS, Split
from protocol.rewards import Line, lines_of, paid_of, receipt_lines, split_price, stakers_account
from tests.protocol.records import (
    account,
    accounts,
    amounts,
    lane_units,
    manifest,
    ppm_lists,
    receipt,
    span_finds,
    terms,
)

OWNERS = [1, 2, 3, 1, 2, 3, 4, 4]
OWNER, OPERATOR, TREASURY = account(100), account(101), account(102)


@st.composite
def splits(draw):
    cuts = sorted(draw(st.lists(st.integers(0, 1_000_000), min_size=5, max_size=5)))
    edges = [0, *cuts, 1_000_000]
    return Split(*(after - before for before, after in pairwise(edges)))


@st.composite
def reports(draw):
    units = tuple(draw(lane_units(len(OWNERS))).items())
    spans = draw(st.dictionaries(st.integers(0, len(OWNERS) - 1), st.integers(0, 500), max_size=8))
    found = [
        LaneUnits(Lane.GRADIENT, units, draw(st.integers(0, 99)), True),
        span_finds(tuple(spans.items()), 1),
    ]
    return merge(found, DEFAULT_WEIGHTS, manifest(OWNERS), bytes(32))


@st.composite
def any_terms(draw):
    royalties = draw(ppm_lists(whole=draw(st.integers(0, 500_000))))
    return terms(royalties=royalties, labour=draw(ppm_lists()), coverage=draw(ppm_lists()))


def amount_of(lines, *earners):
    return sum(line.amount for line in lines if line.earner in earners)


@given(amounts, splits())
def test_a_price_splits_without_remainder(price, split):
    """SPEC 8.1"""
    roles = split_price(price, split)
    parts = [getattr(roles, name) for name in roles.__slots__]
    assert sum(parts) == price
    for part, ppm in zip(parts, split.parts, strict=True):
        assert abs(part - price * ppm / 1_000_000) < 1 + price / 2**50


@given(amounts, st.data(), reports(), any_terms(), splits(), st.integers(0, 1_000_000))
def test_lines_sum_to_what_was_paid(price, data, report, who, split, labour_ppm):
    """SPEC 8.2: to the wei, for any price, part payment, report, terms and split."""
    paid = data.draw(st.integers(0, price))
    params = replace(DEFAULTS, split=split, labour_ppm=labour_ppm)
    lines = receipt_lines(receipt(price=price), paid, report, who, params)
    assert sum(line.amount for line in lines) == paid
    earners = [line.earner for line in lines]
    assert earners == sorted(set(earners))
    assert all(line.amount > 0 and line.request_id == receipt().request_id for line in lines)


@given(amounts, reports())
def test_each_role_gets_its_part(price, report):
    """SPEC 8.1, 8.2"""
    lines = receipt_lines(
        receipt(price=price), price, report, terms(coverage=((account(5), 1_000_000),)), DEFAULTS
    )
    roles = split_price(price, DEFAULTS.split)
    assert amount_of(lines, BURN_ACCOUNT) == roles.burn
    assert amount_of(lines, TREASURY) == roles.treasury
    assert amount_of(lines, OWNER) == roles.model_owner
    assert amount_of(lines, OPERATOR) == roles.operator
    assert amount_of(lines, stakers_account(account(7), keccak)) == roles.stakers
    assert amount_of(lines, *map(account, (1, 2, 3, 4, 5))) == roles.data


@given(amounts, reports(), ppm_lists(whole=400_000))
def test_royalties_come_out_of_the_owners_part(price, report, royalties):
    """SPEC 8.3"""
    lines = receipt_lines(receipt(price=price), price, report, terms(royalties=royalties), DEFAULTS)
    parents = {parent for parent, _ in royalties}
    owner_part = split_price(price, DEFAULTS.split).model_owner
    assert amount_of(lines, OWNER, *parents) == owner_part
    assert amount_of(lines, OWNER) * 10 >= owner_part * 6 - 10 or not royalties
    for parent, ppm in royalties:
        assert abs(amount_of(lines, parent) - owner_part * ppm / 1_000_000) < 1 + price / 2**50


@given(amounts, reports(), ppm_lists())
def test_labour_takes_its_part_of_the_data_share(price, report, labour):
    """SPEC 8.4"""
    covered = ((account(5), 1_000_000),)
    lines = receipt_lines(
        receipt(price=price), price, report, terms(labour=labour, coverage=covered), DEFAULTS
    )
    data_part = split_price(price, DEFAULTS.split).data
    expected = data_part * 100_000 // 1_000_000 if labour else 0
    assert amount_of(lines, *(worker for worker, _ in labour)) == expected
    assert amount_of(lines, *map(account, (1, 2, 3, 4, 5))) == data_part - expected


@given(amounts, ppm_lists())
def test_the_unattributed_part_goes_by_coverage_or_to_the_treasury(price, covered):
    """SPEC 8.5"""
    lines = receipt_lines(
        receipt(price=price), price, unattributed_report(), terms(coverage=covered), DEFAULTS
    )
    roles = split_price(price, DEFAULTS.split)
    assert amount_of(lines, *(owner for owner, _ in covered)) == (roles.data if covered else 0)
    assert amount_of(lines, TREASURY) == roles.treasury + (0 if covered else roles.data)


@given(accounts)
def test_stakers_earn_under_the_contracts_account(node):
    """SPEC 8.6: keccak256(abi.encode(TAG_STAKERS, node)), its low 20 bytes, as EarnerAccounts.sol has it."""
    digest = keccak(encode(["bytes32", "address"], [keccak(b"openledger.stakers"), node]))
    assert stakers_account(node, keccak) == "0x" + digest[-20:].hex()


prices = st.lists(st.integers(0, 50), min_size=1, max_size=8)


@given(prices, st.data())
def test_a_claim_pays_receipts_in_order(listed, data):
    """SPEC 8.7: wei by wei against the naive queue."""
    before = data.draw(st.integers(0, sum(listed)))
    upto = data.draw(st.integers(before, sum(listed)))
    queue = [seq for seq, price in enumerate(listed) for _ in range(price)]
    expected = [queue[before:upto].count(seq) for seq in range(len(listed))]
    assert list(paid_of(listed, before, upto)) == expected


@given(prices, st.lists(st.integers(0, 400), max_size=6))
def test_any_steps_pay_each_price_in_the_end(listed, stops):
    """SPEC 8.7"""
    edges = [0, *sorted(stop for stop in stops if stop <= sum(listed)), sum(listed)]
    steps = [paid_of(listed, before, upto) for before, upto in pairwise(edges)]
    assert [sum(part) for part in zip(*steps, strict=True)] == listed


@pytest.mark.parametrize(("before", "upto"), [(-1, 0), (2, 1), (0, 7)])
def test_impossible_claims_are_refused(before, upto):
    """SPEC 8.7"""
    with pytest.raises(SettlementError):
        paid_of([1, 2, 3], before, upto)


@given(st.integers(1, 10**24), reports())
def test_paying_yourself_loses_burn_and_treasury(price, report):
    """SPEC 8.8: payer, owner, operator, stakers, every row's owner and coverage are one party."""
    me = [account(number) for number in (1, 2, 3, 4, 5, 100, 101)] + [stakers_account(account(7), keccak)]
    lines = receipt_lines(
        receipt(price=price), price, report, terms(coverage=((account(5), 1_000_000),)), DEFAULTS
    )
    lost = price - amount_of(lines, *me)
    assert lost == amount_of(lines, BURN_ACCOUNT, TREASURY)
    assert abs(lost - price // 10) <= 1


def test_bad_terms_and_payments_are_refused():
    """SPEC 8.2, 8.3"""
    with pytest.raises(EncodingError):
        terms(royalties=((account(1), 500_001),))
    with pytest.raises(EncodingError):
        terms(royalties=((account(1), -1),))
    with pytest.raises(SharesDoNotSum):
        terms(labour=((account(1), 5),))
    with pytest.raises(SharesDoNotSum):
        terms(coverage=((account(1), 1_000_001),))
    for paid in (-1, 1001):
        with pytest.raises(SettlementError):
            receipt_lines(receipt(), paid, unattributed_report(), terms(), DEFAULTS)
    with pytest.raises(SettlementError):
        receipt_lines(receipt(parameters_version=2), 1, unattributed_report(), terms(), DEFAULTS)


@given(st.lists(st.tuples(accounts, st.integers(0, 9))))
def test_portions_of_one_earner_merge(portions):
    """SPEC 8.2"""
    lines = lines_of(bytes(32), portions)
    assert sum(line.amount for line in lines) == sum(amount for _, amount in portions)
    assert list(lines) == sorted(lines) and len({line.earner for line in lines}) == len(lines)
    assert Line(account(1), bytes(32), 0) not in lines
