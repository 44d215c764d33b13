"""Labour other than rows: signed records, and what a version's labour shares come to for each account.

Whoever did the work signs its record, so that a curator can only accept what its author offered, under the
parents and coefficients that its author named. Solidity twin: contracts/libraries/LabourHash.sol.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum

from protocol.eip712 import Domain, struct_hash, typed_digest
from protocol.errors import ManifestError, SharesDoNotSum
from protocol.hashing import Keccak, address_word, words
from protocol.manifest import Labour
from protocol.types import TOTAL_PPM, Address

LABOUR_TYPE = (
    "Labour(uint256 datanetId,address account,uint8 kind,bytes workCid,uint256[] parents,"
    "uint32[] parentsPpm,uint64 deadline)"
)
MAX_PARENTS = 8
MAX_PARENTS_PPM = 500_000
MAX_VERSION_LABOUR = 64


class LabourKind(IntEnum):
    """As the contract numbers them."""

    CLEANING = 1
    REVIEW = 2
    EVALUATION = 3
    PROMPTS = 4
    RETRIEVAL = 5
    RECIPE = 6


@dataclass(frozen=True, slots=True)
class LabourRecord:
    """A piece of work at `work_cid` (binary). `parents` are (record id, ppm of what this one earns)."""

    datanet: int
    account: Address
    kind: LabourKind
    work_cid: bytes
    parents: tuple[tuple[int, int], ...]
    deadline: int


def labour_digest(record: LabourRecord, domain: Domain, keccak: Keccak) -> bytes:
    """The 32 bytes that the labourer signs."""
    return typed_digest(domain, labour_struct(record, keccak), keccak)


def labour_struct(record: LabourRecord, keccak: Keccak) -> bytes:
    """EIP-712 struct hash; an array is hashed as its elements' words in a row."""
    values = (
        record.datanet,
        address_word(record.account),
        int(record.kind),
        keccak(record.work_cid),
        keccak(words(*(parent for parent, _ in record.parents))),
        keccak(words(*(ppm for _, ppm in record.parents))),
        record.deadline,
    )
    return struct_hash(LABOUR_TYPE, values, keccak)


def labour_lines(
    shares: Sequence[tuple[int, int]], records: Mapping[int, LabourRecord]
) -> tuple[Labour, ...]:
    """The manifest's labour list: each record's ppm, less what it passes to its parents, rounded down.

    `shares` are (record id, ppm) and make 1,000,000, `records` hold those ids and all their forebears.
    Parents have lower ids than their children, so going down through the ids meets each record once.
    """
    total = sum(ppm for _, ppm in shares)
    if total != TOTAL_PPM:
        raise SharesDoNotSum("labour shares", TOTAL_PPM, total)
    earned: dict[int, int] = {}
    for number, ppm in shares:
        earned[number] = earned.get(number, 0) + ppm
    lines: dict[tuple[str, Address], int] = {}
    while earned:
        number = max(earned)
        record, ppm = records[number], earned.pop(number)
        kept = ppm
        for parent, part in record.parents:
            if not 0 < parent < number:
                raise ManifestError(f"labour {number} names {parent} as its parent")
            passed = ppm * part // TOTAL_PPM
            kept -= passed
            if passed:
                earned[parent] = earned.get(parent, 0) + passed
        place = record.kind.name.lower(), record.account
        lines[place] = lines.get(place, 0) + kept
    return tuple(Labour(kind, account, ppm) for (kind, account), ppm in sorted(lines.items()) if ppm)
