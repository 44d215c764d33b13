"""VoucherFaults.proveOverpaid and proveUnderpaid: lines against their receipt and its split."""

from dataclasses import replace

import pytest

from node.chain.keccak import keccak
from protocol.hashing import address_word
from protocol.ledger_faults import Pair
from protocol.ledger_records import Leaf
from protocol.parameters import BURN_ACCOUNT, DEFAULTS
from protocol.receipt_faults import Overpaid, Role, StatedReceipt, Underpaid, role_account
from tests.contracts.epochs import Ledger
from tests.contracts.settlement.honest import Honest
from tests.contracts.world import reverts


@pytest.fixture
def honest(ledger: Ledger) -> Honest:
    return Honest(ledger)


def dearest(honest: Honest) -> tuple[StatedReceipt, list[Leaf]]:
    """The receipt of the highest price, paid in full, and its lines."""
    prices = [amount for _, amount in honest.forger.receipts]
    stated = honest.stated(prices.index(max(prices)))
    request = int.from_bytes(stated.receipt.request_id, "big")
    rows = honest.forger.rows["lines"][1]
    return stated, [honest.leaf("lines", at) for at, row in enumerate(rows) if row.minor == request]


def test_the_price_itself_is_not_too_much(honest: Honest) -> None:
    """SPEC 7.110: all lines of a fully paid request make its price, and not more."""
    stated, lines = dearest(honest)
    price = stated.receipt.price
    with reverts("VoucherFaultsPaidWithinPrice", price, price):
        honest.bring(Overpaid(honest.node, stated, tuple(lines)))
    with reverts("VoucherFaultsPaidWithinPrice", 0, price):
        honest.bring(Overpaid(honest.node, stated, ()))


def test_a_line_counts_once_and_for_its_own_request(honest: Honest) -> None:
    """SPEC 7.110: lines come in their order, each another one, all of the receipt's request."""
    stated, lines = dearest(honest)
    request = int.from_bytes(stated.receipt.request_id, "big")
    rows = honest.forger.rows["lines"][1]
    other = next(honest.leaf("lines", at) for at, row in enumerate(rows) if row.minor != request)
    for given, place in (
        ((lines[0], lines[0]), 1),
        ((lines[1], lines[0]), 1),
        ((other,), 0),
        ((*lines, other), len(lines)),
    ):
        with reverts("VoucherFaultsBadLine", place):
            honest.bring(Overpaid(honest.node, stated, given))
    forged = replace(lines[0], row=replace(lines[0].row, amount=lines[0].row.amount + 1))
    with reverts("LedgerRowsNotInTree"):
        honest.bring(Overpaid(honest.node, stated, (forged,)))


@pytest.mark.parametrize("role", list(Role))
def test_a_role_with_its_part_is_not_underpaid(honest: Honest, role: Role) -> None:
    """SPEC 7.111: what all lines show was paid gives the least; an honest part reaches it."""
    stated, lines = dearest(honest)
    account = role_account(role, stated.receipt, honest.stage.played.evidence.payments, keccak)
    major = address_word(account or "0x0")
    own = next(leaf for leaf in lines if leaf.row.major == major)
    others = tuple(leaf for leaf in lines if leaf.row.major != major)
    ppm = {Role.BURN: DEFAULTS.split.burn, Role.TREASURY: DEFAULTS.split.treasury}.get(
        role, DEFAULTS.split.stakers
    )
    least = stated.receipt.price * ppm // 1_000_000
    # The treasury also gets what nobody is attributed.
    assert least <= own.row.amount
    with reverts("VoucherFaultsPartPaid", own.row.amount, least):
        honest.bring(Underpaid(honest.node, stated, role, Pair(own), others))
    with reverts("VoucherFaultsPartPaid", own.row.amount, own.row.amount * ppm // 1_000_000):
        honest.bring(Underpaid(honest.node, stated, role, Pair(own), ()))
    with reverts("VoucherFaultsBadLine", 0):
        honest.bring(Underpaid(honest.node, stated, role, Pair(own), (own,)))


def test_a_line_that_is_there_cannot_be_called_absent(honest: Honest) -> None:
    """SPEC 7.111: a part is shown by its own line, or by the neighbours of its gap."""
    stated, lines = dearest(honest)
    major = address_word(BURN_ACCOUNT)
    own = next(leaf for leaf in lines if leaf.row.major == major)
    at = own.proof.index
    around = Pair(honest.leaf("lines", at - 1), honest.leaf("lines", at + 1))
    words = major.to_bytes(32, "big"), stated.receipt.request_id
    for pair in (Pair(), around, Pair(around.left), Pair(lines[0])):
        with reverts("LedgerRowsNotShown", 0, *words):
            honest.bring(Underpaid(honest.node, stated, Role.BURN, pair, ()))
