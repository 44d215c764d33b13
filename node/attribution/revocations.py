"""Whose consent the chain says is withdrawn now, though the version that holds the row still stands."""

from __future__ import annotations

from collections.abc import Callable

from node.chain.rpc import Chain
from protocol.hashing import from_hex
from protocol.manifest import Manifest
from protocol.wire import AttributeResult

IsRevoked = Callable[[int, bytes], bool]


def revocations(chain: Chain) -> IsRevoked:
    """Asks the contribution ledger about (Datanet, row digest)."""
    ledger = chain.contract("ContributionLedger").functions

    def is_revoked(datanet: int, digest: bytes) -> bool:
        return bool(chain.call(ledger.revokedAt(datanet, digest)))

    return is_revoked


def revoked_rows(result: AttributeResult, manifest: Manifest, is_revoked: IsRevoked) -> frozenset[int]:
    """Of the canonical rows that the worker's lanes lead to, those that may not earn any more."""
    named = {row for lane in result.lanes for row, _ in lane.units} | {match.row for match in result.spans}
    canonical = {manifest.rows[row].cluster for row in named if row < len(manifest.rows)}
    return frozenset(
        row for row in canonical if is_revoked(manifest.datanet, from_hex(manifest.rows[row].digest, 32))
    )


def revocations_by(chain: Chain) -> Callable[[int, bytes, int], bool]:
    """Asks the contribution ledger about (Datanet, row digest) as it was at a time (unix seconds)."""
    ledger = chain.contract("ContributionLedger").functions

    def revoked_by(datanet: int, digest: bytes, time: int) -> bool:
        return 0 < int(chain.call(ledger.revokedAt(datanet, digest))) <= time

    return revoked_by
