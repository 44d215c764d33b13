"""The checks of a receipt that a stranger can make with nothing but the chain."""

from typing import Any

from node.chain.keccak import keccak
from node.chain.rpc import Chain
from node.chain.signer import recover_receipt
from node.errors import ChainReverted, InvalidInput
from protocol.attribution import AttributionReport, Entry, Lane, attribution_root
from protocol.eip712 import receipts_domain
from protocol.epoch_json import lists_from_json
from protocol.hashing import from_hex
from protocol.parameters import Split
from protocol.profile import told
from protocol.receipt import Receipt, receipt_from_json
from protocol.rewards import split_price
from protocol.types import parse_address

Checked = tuple[str, bool, str]


def check_receipt(request_id: bytes, body: Any, attribution: Any, chain: Chain) -> list[Checked]:
    """Every check with what came of it. Raises InvalidInput where the node's answer is no receipt."""
    try:
        receipt = receipt_from_json(body["receipt"])
        signature = from_hex(body["signature"], 65)
        report = report_of(attribution)
        parts = tuple((str(part["name"]), int(part["amount"])) for part in body["parts"])
        earners = [int(part["amount"]) for part in body["earners"]]
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidInput(f"the node's answer is no receipt: {error}") from error
    root, method = attribution_root(report, keccak), report.method_id
    total = sum(earners)
    return [
        ("request", receipt.request_id == request_id, f"the receipt is for 0x{receipt.request_id.hex()}"),
        ("tokens", True, told(receipt.profile_id)),
        _signer(receipt, signature, chain),
        ("attribution root", root == receipt.attribution_root, f"recomputed 0x{root.hex()}"),
        ("attribution method", method == receipt.method_id, f"the report's is 0x{method.hex()}"),
        _split(receipt, parts, chain),
        (
            "earners",
            total == receipt.price and min(earners, default=0) >= 0,
            f"{len(earners)} accounts get {total} of {receipt.price} wei",
        ),
    ]


def _signer(receipt: Receipt, signature: bytes, chain: Chain) -> Checked:
    domain = receipts_domain(chain.chain_id, chain.deployment.address("EpochSettlement"))
    signer = recover_receipt(receipt, signature, domain)
    to_checksum = chain.web3.to_checksum_address
    functions = chain.contract("NodeStaking").functions
    known = bool(functions.wasSigner(to_checksum(receipt.node), to_checksum(signer)).call())
    return "signer", known, f"{signer} signs for node {receipt.node}: {known}"


def _split(receipt: Receipt, parts: tuple[tuple[str, int], ...], chain: Chain) -> Checked:
    """The price by role, against the rules of the version that the receipt names."""
    functions = chain.contract("ProtocolParameters").functions
    version = receipt.parameters_version
    try:
        split = Split(*chain.call(functions.splitAt(version)))
    except ChainReverted:
        return "split", False, f"the chain knows no rules of version {version}"
    expected = split_price(receipt.price, split).named
    wrong = [name for (name, amount), part in zip(expected, parts, strict=False) if part != (name, amount)]
    holds = parts == expected
    return "split", holds, f"by the rules of version {version}" + (f"; differs: {wrong}" if wrong else "")


def report_of(attribution: Any) -> AttributionReport:
    """The report in a body of /v1/attribution. Raises KeyError, TypeError or ValueError where it is none."""
    entries = tuple(
        Entry(Lane[one["lane"].upper()], int(one["row"]), parse_address(one["owner"]), int(one["ppm"]))
        for one in attribution["entries"]
    )
    return AttributionReport(
        entries,
        int(attribution["unattributed_ppm"]),
        from_hex(attribution["method_id"], 32),
        lists_from_json(attribution["lists"]),
    )
