"""Is this receipt what it says? Checks that anyone can make with the receipt, its evidence and the public
rules.
"""

from __future__ import annotations

from dataclasses import dataclass

from node.chain.signer import recover_digest
from node.errors import InvalidInput
from protocol.attribution import AttributionReport, attribution_root
from protocol.eip712 import Domain, typed_digest
from protocol.hashing import Keccak
from protocol.receipt import Receipt, hash_receipt


@dataclass(frozen=True)
class Verdict:
    """Who signed (None: nobody, the signature is malformed), and whether the report is the one committed
    to.
    """

    signer: str | None
    report_matches: bool


def verify_receipt(
    receipt: Receipt, signature: bytes, report: AttributionReport, domain: Domain, keccak: Keccak
) -> Verdict:
    """Recover the signer and recompute the attribution root. Whether the signer may sign for the node, the
    chain says.
    """
    digest = typed_digest(domain, hash_receipt(receipt, keccak), keccak)
    try:
        signer: str | None = recover_digest(digest, signature)
    except InvalidInput:
        signer = None
    matches = (
        attribution_root(report, keccak) == receipt.attribution_root and report.method_id == receipt.method_id
    )
    return Verdict(signer, matches)
