"""The checks of a receipt that a stranger can make with nothing but the chain."""

from typing import Any

from node.chain.keccak import keccak
from node.chain.rpc import Chain
from node.chain.signer import recover_receipt
from node.errors import InvalidInput
from protocol.attribution import AttributionReport, Entry, Lane, attribution_root
from protocol.eip712 import receipts_domain
from protocol.hashing import from_hex
from protocol.receipt import Receipt, receipt_from_json
from protocol.types import parse_address

Checked = tuple[str, bool, str]


def check_receipt(request_id: bytes, body: Any, attribution: Any, chain: Chain) -> list[Checked]:
    """Every check with what came of it. Raises InvalidInput where the node's answer is no receipt."""
    try:
        receipt = receipt_from_json(body["receipt"])
        signature = from_hex(body["signature"], 65)
        report = _report(attribution)
        parts = [int(part["amount"]) for part in body["earners"]]
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidInput(f"the node's answer is no receipt: {error}") from error
    root = attribution_root(report, keccak)
    return [
        ("request", receipt.request_id == request_id, f"the receipt is for 0x{receipt.request_id.hex()}"),
        *_signature(receipt, signature, chain),
        ("attribution root", root == receipt.attribution_root, f"recomputed 0x{root.hex()}"),
        (
            "split",
            sum(parts) == receipt.price,
            f"{len(parts)} accounts get {sum(parts)} of {receipt.price} wei",
        ),
    ]


def _signature(receipt: Receipt, signature: bytes, chain: Chain) -> list[Checked]:
    domain = receipts_domain(chain.chain_id, chain.deployment.address("EpochSettlement"))
    signer = recover_receipt(receipt, signature, domain)
    to_checksum = chain.web3.to_checksum_address
    functions = chain.contract("NodeStaking").functions
    known = bool(functions.wasSigner(to_checksum(receipt.node), to_checksum(signer)).call())
    return [("signer", known, f"{signer} signs for node {receipt.node}: {known}")]


def _report(attribution: Any) -> AttributionReport:
    entries = tuple(
        Entry(Lane[one["lane"].upper()], int(one["row"]), parse_address(one["owner"]), int(one["ppm"]))
        for one in attribution["entries"]
    )
    return AttributionReport(
        entries, int(attribution["unattributed_ppm"]), from_hex(attribution["method_id"], 32)
    )
