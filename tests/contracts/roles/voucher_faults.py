"""VoucherFaults: anyone proves a fault, and nothing is proven of a receipt that nobody stated."""

from tests.contracts.epochs import receipt_of, solidity_receipt
from tests.contracts.roles.rules import WORD, Rules, Scene, anyone

PROOF = (0, 0, [])
LEAF = (WORD, WORD, 1, PROOF)
PAIR = (LEAF, LEAF)
VOUCHER = (WORD, 1, 1, WORD, 1)
NOT_STATED = "VoucherFaultsNotStated"


def stated(scene: Scene) -> list[object]:
    """An epoch without statements, a node, and a receipt that it might have stated there."""
    receipt = solidity_receipt(receipt_of(scene.world, "node", 5))
    return [2**40, scene.at("node"), (receipt, 5, PROOF)]


RULES: Rules = {
    "seal": anyone(lambda s: [WORD]),
    "proveReceipt": anyone(stated, meets=NOT_STATED),
    "proveReceiptOrder": anyone(lambda s: [*stated(s), stated(s)[2]], meets=NOT_STATED),
    "proveReceiptConflict": anyone(lambda s: [*stated(s), stated(s)[2]], meets=NOT_STATED),
    "proveOverpaid": anyone(lambda s: [*stated(s), [LEAF]], meets=NOT_STATED),
    "proveUnderpaid": anyone(lambda s: [*stated(s), 0, PAIR, [LEAF]], meets=NOT_STATED),
    "proveVoucher": anyone(lambda s: [*stated(s), VOUCHER, (WORD, 1, PROOF)], meets=NOT_STATED),
    "proveUnpaid": anyone(stated, meets=NOT_STATED),
}
