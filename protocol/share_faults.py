"""F3 and F4 as the contract judges them: evidence in, fault or not out. Solidity twin:
contracts/settlement/ShareFaults.sol. Evidence that does not hold proves nothing.
"""

from protocol.hashing import Keccak, address_word
from protocol.lane_lists import LaneLists, lane_hash, list_shares, lists_flaw
from protocol.report_evidence import (
    ChainFacts,
    PlacedEntry,
    PlacedRow,
    Stated,
    is_entry,
    is_row,
    is_stated,
    was_revoked,
)


def foreign_row(facts: ChainFacts, stated: Stated, entry: PlacedEntry, keccak: Keccak) -> bool:
    """F3: the entry's row is past the version's last."""
    if not is_stated(facts, stated, keccak) or not is_entry(stated, entry, keccak):
        return False
    return entry.lane != 0 and entry.row >= facts.row_count


def wrong_row(facts: ChainFacts, stated: Stated, entry: PlacedEntry, row: PlacedRow, keccak: Keccak) -> bool:
    """F3: the entry's row is not canonical, not granted, of another owner, or was revoked in time."""
    if not is_stated(facts, stated, keccak) or not is_entry(stated, entry, keccak) or entry.lane == 0:
        return False
    if not is_row(facts, row, entry.row, keccak):
        return False
    of_another = row.row.cluster != entry.row or row.row.owner != entry.owner
    return of_another or not row.row.granted or was_revoked(facts, stated, row.row.digest)


def wrong_version(facts: ChainFacts, stated: Stated, keccak: Keccak) -> bool:
    """F3: the receipt names another Datanet version than its model, or an unknown model."""
    if not is_stated(facts, stated, keccak):
        return False
    return not facts.model_known or facts.model_key != stated.receipt.datanet_version_key


def wrong_shares(
    facts: ChainFacts, stated: Stated, lists: LaneLists, entry: PlacedEntry, keccak: Keccak
) -> bool:
    """F4: the lists make no shares, or not as many as stated, or not the one at the entry's place."""
    hashes = stated.hashes[:3]
    if not is_stated(facts, stated, keccak):
        return False
    if tuple(lane_hash(part, keccak) for part in lists.parts) != hashes:
        return False
    count = stated.receipt.output_tokens
    if facts.weights is None or lists_flaw(lists, count):
        return True
    if not is_entry(stated, entry, keccak):
        return False
    shares = list_shares(lists, facts.weights, count)
    if entry.place.count != len(shares) or (entry.lane, entry.row, entry.ppm) != shares[entry.place.index]:
        return True
    return entry.lane == 0 and address_word(entry.owner) != 0
