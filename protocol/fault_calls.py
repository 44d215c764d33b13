"""Fault evidence as contract calls: which judge, which function, which arguments in ABI order."""

from protocol.ledger_faults import (
    CumulativeHigh,
    CumulativeLow,
    EntryHigh,
    EntryLow,
    LeafFault,
    LedgerFault,
    OrderFault,
    Pair,
    TotalFault,
)
from protocol.ledger_records import Leaf
from protocol.receipt import solidity_tuple
from protocol.receipt_faults import (
    Overpaid,
    ReceiptConflict,
    ReceiptFault,
    ReceiptOrder,
    StatedFault,
    StatedReceipt,
    Underpaid,
    UnpaidReceipt,
    VoucherFault,
)
from protocol.sumtree import SumProof

NOBODY = "0x" + "00" * 20

Argument = int | bytes | str | tuple["Argument", ...]
Call = tuple[str, tuple[Argument, ...]]


def ledger_call(fault: LedgerFault, epoch: int) -> Call:
    """The function of LedgerFaults that proves it, and its arguments; addresses in lower case."""
    match fault:
        case TotalFault(tree, node, leaf):
            return "proveTotal", (epoch, node or NOBODY, int(tree), leaf_argument(leaf))
        case LeafFault(tree, node, leaf):
            return "proveRow", (epoch, node or NOBODY, int(tree), leaf_argument(leaf))
        case OrderFault(tree, node, first, second):
            return "proveOrder", (
                epoch,
                node or NOBODY,
                int(tree),
                leaf_argument(first),
                leaf_argument(second),
            )
        case EntryLow(earner, stating, entry, first, last):
            ends = leaf_argument(first), leaf_argument(last)
            return "proveEntryLow", (epoch, _address(earner), stating, _pair(entry), *ends)
        case EntryHigh(found, before, after):
            return "proveEntryHigh", (
                epoch,
                leaf_argument(found),
                leaf_argument(before),
                leaf_argument(after),
            )
        case CumulativeLow(account, one, two, three):
            return "proveCumulativeLow", (epoch, account.to_bytes(32, "big"), *_leaves(one, two, three))
        case CumulativeHigh(account, one, two, three):
            return "proveCumulativeHigh", (epoch, account.to_bytes(32, "big"), *_leaves(one, two, three))


def receipt_call(fault: StatedFault, epoch: int) -> Call:
    """The function of VoucherFaults that proves it, and its arguments; addresses in lower case."""
    match fault:
        case ReceiptFault(node, stated):
            return "proveReceipt", (epoch, node, _stated(stated))
        case UnpaidReceipt(node, stated):
            return "proveUnpaid", (epoch, node, _stated(stated))
        case ReceiptOrder(node, first, second):
            return "proveReceiptOrder", (epoch, node, _stated(first), _stated(second))
        case ReceiptConflict(node, first, second):
            return "proveReceiptConflict", (epoch, node, _stated(first), _stated(second))
        case Overpaid(node, stated, lines):
            return "proveOverpaid", (epoch, node, _stated(stated), tuple(map(leaf_argument, lines)))
        case Underpaid(node, stated, role, line, lines):
            paying = tuple(map(leaf_argument, lines))
            return "proveUnderpaid", (epoch, node, _stated(stated), int(role), _pair(line), paying)
        case VoucherFault(node, stated, voucher, leaf, proof):
            acknowledged = leaf.key, leaf.amount, proof_argument(proof)
            return "proveVoucher", (epoch, node, _stated(stated), solidity_tuple(voucher), acknowledged)


def leaf_argument(leaf: Leaf) -> Argument:
    """LedgerRows.Leaf."""
    row = leaf.row
    return (
        row.major.to_bytes(32, "big"),
        row.minor.to_bytes(32, "big"),
        row.amount,
        proof_argument(leaf.proof),
    )


def proof_argument(proof: SumProof) -> Argument:
    """OpenSumTree.SumProof."""
    return proof.index, proof.count, proof.path


def _leaves(*leaves: Leaf) -> tuple[Argument, ...]:
    return tuple(leaf_argument(leaf) for leaf in leaves)


def _pair(pair: Pair) -> Argument:
    return leaf_argument(pair.left), leaf_argument(pair.right)


def _stated(stated: StatedReceipt) -> Argument:
    return solidity_tuple(stated.receipt), stated.amount, proof_argument(stated.proof)


def _address(word: int) -> str:
    return f"0x{word:040x}"
