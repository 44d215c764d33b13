"""A contribution's batch root: the tree over its rows, each leaf bound to who offers it.

A root copied out of somebody's pending transaction proves nothing for its copier, whose address is not in its
leaves. Solidity twin: contracts/libraries/RowHash.sol; same vectors.
"""

from collections.abc import Sequence

from protocol import merkle
from protocol.hashing import Keccak, address_word, tag, words
from protocol.types import Address


def batch_row(contributor: Address, digest: bytes, keccak: Keccak) -> bytes:
    """Payload of one row."""
    return keccak(words(tag("batch_row", keccak), address_word(contributor), digest))


def batch_root(contributor: Address, digests: Sequence[bytes], keccak: Keccak) -> bytes:
    """The root over the rows' content digests in batch order: what the chain stores."""
    return merkle.root(_payloads(contributor, digests, keccak), keccak)


def prove_batch_row(
    contributor: Address, digests: Sequence[bytes], position: int, keccak: Keccak
) -> merkle.Proof:
    """That the row at `position` was offered: for a revocation, or against a later copy."""
    return merkle.prove(_payloads(contributor, digests, keccak), position, keccak)


def _payloads(contributor: Address, digests: Sequence[bytes], keccak: Keccak) -> list[bytes]:
    return [batch_row(contributor, digest, keccak) for digest in digests]
