"""Which receipts and index rows are rechecked, drawn from randomness that nobody had when they were made.

The seed follows from the epoch and the hash of the block after its commitment. A receipt's ticket depends on
the receipt and the seed alone: neither stake nor what else is listed moves it, and the lowest tickets are
drawn. Anyone draws the same.
"""

from collections.abc import Iterable

from protocol.errors import EncodingError
from protocol.hashing import Keccak, tag, words
from protocol.index_pages import CodeShape
from protocol.types import TOTAL_PPM


def audit_seed(epoch: int, block_hash: bytes, keccak: Keccak) -> bytes:
    """H(TAG(audit), epoch, hash of the block after the epoch's commitment)."""
    return keccak(words(tag("audit", keccak), epoch, block_hash))


def sample_size(count: int, ppm: int, least: int) -> int:
    """So many of `count`: the part in ppm, rounded up, `least` at least, and never more than there are."""
    if not (count >= 0 and 0 <= ppm <= TOTAL_PPM and least >= 0):
        raise EncodingError(f"no sample of {ppm} ppm of {count}, {least} at least")
    return min(count, max(least, -(-count * ppm // TOTAL_PPM)))


def sampled_receipts(receipts: Iterable[bytes], seed: bytes, size: int, keccak: Keccak) -> tuple[bytes, ...]:
    """Of receipts by struct hash, the `size` with the lowest tickets, in the order of these."""
    tickets = {keccak(words(tag("audit.receipt", keccak), seed, receipt)): receipt for receipt in receipts}
    return tuple(tickets[ticket] for ticket in sorted(tickets)[:size])


def sampled_rows(index: bytes, count: int, seed: bytes, size: int, keccak: Keccak) -> tuple[int, ...]:
    """`size` different places of an index of `count` rows (all of them where it has fewer), in the order
    drawn; `index` is its 32-byte digest.
    """
    wanted = min(size, count)
    drawn: dict[int, None] = {}
    number = 0
    while len(drawn) < wanted:
        ticket = keccak(words(tag("audit.row", keccak), seed, index, number))
        # 256 bits over at most 2^32 rows: no place is likelier than another by more than 2^-224.
        drawn.setdefault(int.from_bytes(ticket, "big") % count)
        number += 1
    return tuple(drawn)


def record_signs(shape: CodeShape, record: bytes) -> tuple[bytes, ...]:
    """The packed signs at each checkpoint of a row's record; EncodingError for one of another shape."""
    if len(record) != shape.record_bytes():
        raise EncodingError(f"a record of {len(record)} bytes, {shape.record_bytes()} expected")
    size = shape.width // 8
    begins = [5 + number * (2 + size) + 2 for number in range(shape.checkpoints)]
    return tuple(record[at : at + size] for at in begins)
