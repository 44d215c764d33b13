"""The golden cases of what is signed or offered in stage 1: labour records and batch rows."""

from node.chain.keccak import keccak
from protocol.cid import cid_of_raw
from protocol.contribution import batch_root, batch_row
from protocol.eip712 import Domain, labour_domain
from protocol.hashing import to_hex
from protocol.labour import LabourKind, LabourRecord, labour_digest, labour_lines, labour_struct
from scripts.vectors_samples import CHAIN_ID, Case, account, domain_json, word

SHARES = [(1, 100_001), (2, 400_000), (3, 499_999)]


def labour() -> Case:
    """Records, their digests, and what shares of them come to by account."""
    domain = labour_domain(CHAIN_ID, account("labour ledger"))
    lines = labour_lines(SHARES, dict(enumerate(_records(), 1)))
    return {
        "domain": domain_json(domain),
        "records": [_record(one, domain) for one in _records()],
        "shares": [list(share) for share in SHARES],
        "lines": [{"kind": line.kind, "account": line.account, "ppm": line.ppm} for line in lines],
        "batch": _batch(),
    }


def _records() -> tuple[LabourRecord, ...]:
    cleaned, evaluated = cid_of_raw(b"cleaned").binary, cid_of_raw(b"evaluated").binary
    both, chain = ((1, 250_001), (1, 249_999)), ((1, 333_333), (2, 166_667))
    return (
        LabourRecord(2, account("ada"), LabourKind.CLEANING, cleaned, (), 2_000_000_000),
        LabourRecord(2, account("bob"), LabourKind.EVALUATION, evaluated, both, 2**64 - 1),
        LabourRecord(2, account("cyd"), LabourKind.RECIPE, b"\1", chain, 1),
    )


def _record(one: LabourRecord, domain: Domain) -> Case:
    return {
        "datanetId": one.datanet,
        "account": one.account,
        "kind": int(one.kind),
        "workCid": to_hex(one.work_cid),
        "parents": [parent for parent, _ in one.parents],
        "parentsPpm": [ppm for _, ppm in one.parents],
        "deadline": str(one.deadline),
        "structHash": to_hex(labour_struct(one, keccak)),
        "digest": to_hex(labour_digest(one, domain, keccak)),
    }


def _batch() -> Case:
    contributor, digests = account("ada"), [word(f"row {place}") for place in range(3)]
    return {
        "contributor": contributor,
        "digests": [to_hex(digest) for digest in digests],
        "payloads": [to_hex(batch_row(contributor, digest, keccak)) for digest in digests],
        "root": to_hex(batch_root(contributor, digests, keccak)),
    }
