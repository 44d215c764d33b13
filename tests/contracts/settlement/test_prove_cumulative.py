"""LedgerFaults.proveCumulativeLow and proveCumulativeHigh: what was earned before, now, and in between."""

import pytest

from protocol.ledger_faults import CumulativeHigh, CumulativeLow
from protocol.ledger_records import NO_LEAF, Leaf
from tests.contracts.epochs import Ledger
from tests.contracts.settlement.honest import Honest, word
from tests.contracts.world import reverts


@pytest.fixture
def honest(ledger: Ledger) -> Honest:
    return Honest(ledger)


def up_to(honest: Honest, tree: str, account: int) -> tuple[Leaf, Leaf, int]:
    """The last row up to an account, the first beyond it, and the sum up to it."""
    rows = honest.forger.rows[tree][1]
    end = sum(row.major <= account for row in rows)
    return honest.leaf(tree, end - 1), honest.leaf(tree, end), sum(row.amount for row in rows[:end])


def test_sums_up_to_any_account_agree(honest: Honest) -> None:
    """SPEC 7.107: for an honest epoch the tightest bounds meet at every account, edges included."""
    accounts = [row.major for row in honest.forger.rows["cumulative"][1]]
    for account in (0, *accounts, 2**256 - 1):
        last, beyond, now = up_to(honest, "cumulative", account)
        old_last, old_beyond, old = up_to(honest, "previous", account)
        entry_last, entry_beyond, earned = up_to(honest, "entries", account)
        assert now == old + earned
        with reverts("LedgerFaultsWithinBound", now, now):
            honest.bring(CumulativeLow(account, beyond, old_last, entry_last))
        with reverts("LedgerFaultsWithinBound", now, now):
            honest.bring(CumulativeHigh(account, last, old_beyond, entry_beyond))


def test_each_leaf_is_on_its_side_of_the_account(honest: Honest) -> None:
    """SPEC 7.107: a sum up to an account takes no row beyond it, and one before it none up to it."""
    account = honest.forger.rows["cumulative"][1][1].major
    last, beyond, _ = up_to(honest, "cumulative", account)
    old_last, old_beyond, _ = up_to(honest, "previous", account)
    entry_last, entry_beyond, _ = up_to(honest, "entries", account)
    for tree, fault in (
        (2, CumulativeLow(account, last, old_last, entry_last)),
        (2, CumulativeLow(account, beyond, old_beyond, entry_last)),
        (1, CumulativeLow(account, beyond, old_last, entry_beyond)),
        (2, CumulativeHigh(account, beyond, old_beyond, entry_beyond)),
        (2, CumulativeHigh(account, last, old_last, entry_beyond)),
        (1, CumulativeHigh(account, last, old_beyond, entry_last)),
    ):
        with reverts("LedgerRowsBadRange", tree, word(account)):
            honest.bring(fault)


def test_a_leaf_counts_only_in_its_own_tree(honest: Honest) -> None:
    """SPEC 7.107: a previous amount is no current one."""
    account = honest.forger.rows["cumulative"][1][1].major
    old_last, _, _ = up_to(honest, "previous", account)
    words = word(old_last.row.major), word(0)
    with reverts("LedgerRowsNotInTree", 2, *words, old_last.proof.index):
        honest.bring(CumulativeHigh(account, old_last, NO_LEAF, NO_LEAF))
