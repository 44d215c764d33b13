"""VoucherFaults.proveReceipt, proveReceiptOrder and proveReceiptConflict: receipts by themselves."""

from dataclasses import replace

import pytest

from node.chain.keccak import keccak
from protocol.receipt import hash_receipt
from protocol.receipt_faults import ReceiptConflict, ReceiptFault, ReceiptOrder
from tests.contracts.epochs import Ledger
from tests.contracts.settlement.honest import Honest
from tests.contracts.world import reverts


@pytest.fixture
def honest(ledger: Ledger) -> Honest:
    return Honest(ledger)


def test_a_sound_receipt_is_no_fault(honest: Honest) -> None:
    """SPEC 7.108: every receipt of an honest statement."""
    for place in range(len(honest.forger.receipts)):
        stated = honest.stated(place)
        with reverts("VoucherFaultsSoundReceipt", hash_receipt(stated.receipt, keccak)):
            honest.bring(ReceiptFault(honest.node, stated))


def test_only_what_a_statement_holds_is_judged(honest: Honest) -> None:
    """SPEC 7.108: another receipt, amount or place, or another node's statement, is refused."""
    stated = honest.stated(0)
    other = replace(stated.receipt, node=honest.world.plain("stranger"))
    changed = replace(stated, receipt=other)
    values = honest.epoch, honest.node_address, hash_receipt(other, keccak)
    with reverts("VoucherFaultsNotStated", *values):
        honest.bring(ReceiptFault(honest.node, changed))
    digest = hash_receipt(stated.receipt, keccak)
    with reverts("VoucherFaultsNotStated", honest.epoch, honest.node_address, digest):
        honest.bring(ReceiptFault(honest.node, replace(stated, amount=stated.amount + 1)))
    nobody = honest.world.plain("stranger")
    with reverts("VoucherFaultsNotStated", honest.epoch, honest.world.address("stranger"), digest):
        honest.bring(ReceiptFault(nobody, stated))


def test_ascending_receipts_are_no_fault(honest: Honest) -> None:
    """SPEC 7.109: neighbours in order prove nothing, and only neighbours are compared."""
    first, second = honest.stated(0), honest.stated(1)
    seqs = first.receipt.seq, second.receipt.seq
    with reverts("VoucherFaultsAscending", second.receipt.channel_id, *seqs):
        honest.bring(ReceiptOrder(honest.node, first, second))
    for one, two, places in ((second, first, (1, 0)), (first, first, (0, 0))):
        with reverts("VoucherFaultsNotAdjacent", *places):
            honest.bring(ReceiptOrder(honest.node, one, two))


def test_receipts_that_add_up_are_no_conflict(honest: Honest) -> None:
    """SPEC 7.109: consecutive ones exactly, and a receipt shown twice is one receipt."""
    count = len(honest.forger.receipts)
    for first, second in [(a, b) for a in range(count) for b in range(count)]:
        one, two = honest.stated(first), honest.stated(second)
        with reverts("VoucherFaultsNoConflict", one.receipt.request_id, two.receipt.request_id):
            honest.bring(ReceiptConflict(honest.node, one, two))
