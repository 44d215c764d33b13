from dataclasses import replace

import pytest
from eth_hash.auto import keccak
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.epoch import (
    Statement,
    build_commitment,
    claim_proof,
    commitment_of,
    cumulative_leaf,
    entry_leaf,
    epoch_of,
    receipt_proof,
    statement_leaves,
    statement_root,
)
from protocol.errors import SettlementError
from protocol.receipt import receipt_leaf, receipts_sum_root
from protocol.rewards import Line
from protocol.sumtree import prove_sum, sum_root, verify_range, verify_sum
from tests.protocol.records import account, accounts, receipt, statements

EPOCH = 5
epochs = st.tuples(statements(7, EPOCH), statements(8, EPOCH), statements(9, EPOCH)).map(list)
balances = st.dictionaries(accounts, st.integers(0, 10**24), max_size=6)


@given(st.integers(0, 2**40), st.integers(1, 10**6), st.integers(0, 10**7))
def test_epochs_are_half_open(genesis, length, number):
    """SPEC 7.1"""
    start = genesis + number * length
    assert epoch_of(start, genesis, length) == number
    assert epoch_of(start + length - 1, genesis, length) == number
    assert epoch_of(start + length, genesis, length) == number + 1


@pytest.mark.parametrize(("t", "genesis", "length"), [(9, 10, 1), (10, 10, 0), (10, 10, -1)])
def test_there_is_no_epoch_before_genesis(t, genesis, length):
    """SPEC 7.1"""
    with pytest.raises(SettlementError):
        epoch_of(t, genesis, length)


@settings(max_examples=40)
@given(epochs, balances)
def test_money_is_conserved(stated, previous):
    """SPEC 7.4, 7.5"""
    made = build_commitment(EPOCH, stated, previous, keccak)
    paid = sum(line.amount for one in stated for line in one.lines)
    assert made.total - sum(previous.values()) == paid == made.entry_root.total
    assert made.cum_root.total == made.total
    after = dict(made.cumulative)
    for who, amount in previous.items():
        assert after[who] >= amount
    for who, amount in after.items():
        earned = sum(line.amount for one in stated for line in one.lines if line.earner == who)
        assert amount - previous.get(who, 0) == earned


@settings(max_examples=40)
@given(epochs, balances, st.permutations(range(3)))
def test_the_order_of_statements_does_not_matter(stated, previous, order):
    """SPEC 7.3"""
    shuffled = [stated[place] for place in order]
    reordered = dict(reversed(list(previous.items())))
    assert build_commitment(EPOCH, shuffled, reordered, keccak) == build_commitment(
        EPOCH, stated, previous, keccak
    )


@settings(max_examples=25)
@given(epochs, balances)
def test_every_claim_and_receipt_is_provable(stated, previous):
    """SPEC 7.6"""
    made = build_commitment(EPOCH, stated, previous, keccak)
    for who, amount in made.cumulative:
        proof = claim_proof(made, who, keccak)
        assert verify_sum(cumulative_leaf(who, amount), proof, made.cum_root, keccak)
        assert not verify_sum(cumulative_leaf(who, amount + 1), proof, made.cum_root, keccak)
    for statement in stated:
        root = receipts_sum_root(statement.receipts, keccak)
        for one in statement.receipts:
            assert verify_sum(receipt_leaf(one, keccak), receipt_proof(statement, one, keccak), root, keccak)
    keys = [cumulative_leaf(who, 0).key for who, _ in made.cumulative]
    assert keys == sorted(set(keys))
    with pytest.raises(SettlementError):
        claim_proof(made, account(999), keccak)
    with pytest.raises(SettlementError):
        receipt_proof(stated[0], receipt(seq=99), keccak)


@settings(max_examples=25)
@given(epochs)
def test_entries_are_range_sums_of_lines(stated):
    """SPEC 7.7"""
    made = build_commitment(EPOCH, stated, {}, keccak)
    assert made.entry_root == sum_root([entry_leaf(entry, keccak) for entry in made.entries], keccak)
    for entry in made.entries:
        statement = next(one for one in stated if one.node == entry.node)
        leaves, root = statement_leaves(statement, keccak), statement_root(statement, keccak)
        places = [place for place, line in enumerate(statement.lines) if line.earner == entry.earner]
        assert places == list(range(places[0], places[-1] + 1))
        ends = [(leaves[place], prove_sum(leaves, place, keccak)) for place in (places[0], places[-1])]
        assert verify_range(*ends, entry.amount, root, keccak)
        assert not verify_range(*ends, entry.amount + 1, root, keccak)


@settings(max_examples=30)
@given(statements(7, EPOCH))
def test_a_statement_root_holds_its_lines(statement):
    """SPEC 7.2"""
    root = statement_root(statement, keccak)
    assert (root.total, root.count) == (statement.total, len(statement.lines))


def line(earner=1, seq=1, amount=10):
    return Line(account(earner), receipt(seq).request_id, amount)


@pytest.mark.parametrize(
    ("lines", "receipts"),
    [
        ([line(2), line(1)], [receipt(1)]),
        ([line(1), line(1)], [receipt(1)]),
        ([line(amount=0)], [receipt(1)]),
        ([line(amount=-5)], [receipt(1)]),
        ([line(amount=1001)], [receipt(1)]),
        ([line(1, amount=600), line(2, amount=600)], [receipt(1)]),
        ([line(seq=2)], [receipt(1)]),
        ([line()], []),
        ([], [receipt(2), receipt(1)]),
        ([], [receipt(1), receipt(1)]),
        ([], [receipt(1), receipt(2, request_id=receipt(1).request_id)]),
        ([], [receipt(1, node=8)]),
    ],
)
def test_statements_that_contradict_themselves_are_refused(lines, receipts):
    """SPEC 7.2"""
    with pytest.raises(SettlementError):
        Statement(account(7), EPOCH, tuple(lines), tuple(receipts))


def test_statements_that_do_not_belong_together_are_refused():
    """SPEC 7.8"""
    one = Statement(account(7), EPOCH, (line(),), (receipt(1),))
    with pytest.raises(SettlementError, match="two statements"):
        build_commitment(EPOCH, [one, one], {}, keccak)
    with pytest.raises(SettlementError, match="is for epoch"):
        build_commitment(EPOCH + 1, [one], {}, keccak)
    with pytest.raises(SettlementError):
        build_commitment(EPOCH, [one], {account(3): -1}, keccak)
    with pytest.raises(SettlementError):
        build_commitment(EPOCH, [one], {account(3): 2**128}, keccak)


def test_an_empty_epoch_keeps_what_was():
    """SPEC 7.5"""
    made = build_commitment(EPOCH, [], {account(1): 5}, keccak)
    assert (made.cumulative, made.total, made.entry_root.count) == (((account(1), 5),), 5, 0)


def test_leaves_out_of_order_make_no_commitment():
    """SPEC 7.6"""
    for pairs in ([(account(2), 1), (account(1), 1)], [(account(1), 1), (account(1), 1)]):
        with pytest.raises(SettlementError):
            commitment_of(EPOCH, (), tuple(pairs), keccak)


def test_a_changed_line_changes_the_statement_root():
    """SPEC 7.2"""
    one = Statement(account(7), EPOCH, (line(),), (receipt(1),))
    for changed in (line(earner=2), line(amount=11)):
        assert statement_root(replace(one, lines=(changed,)), keccak) != statement_root(one, keccak)
