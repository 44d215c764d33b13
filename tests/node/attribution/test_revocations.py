"""Which of an answer's rows the chain says are withdrawn."""

from node.attribution.revocations import revoked_rows
from protocol.attribution import Lane, LaneUnits
from protocol.hashing import from_hex
from protocol.spans import Match
from protocol.wire import AttributeResult
from tests.protocol.records import manifest


def test_each_canonical_row_that_is_named_is_asked_about_once() -> None:
    """SPEC 5.64: by its digest, copies by their original; rows that nobody named are not asked about."""
    version = manifest([1, 2, 3, 4, 5], [0, 0, 2, 3, 4])
    asked: list[tuple[int, bytes]] = []

    def is_revoked(datanet: int, digest: bytes) -> bool:
        asked.append((datanet, digest))
        return digest == from_hex(version.rows[0].digest, 32)

    lane = LaneUnits(Lane.GRADIENT, ((1, 5), (2, 5), (99, 1)), 0, True)
    result = AttributeResult(bytes(32), (lane,), (Match(0, 3, 3, 0), Match(3, 3, 1, 0)), ())
    assert revoked_rows(result, version, is_revoked) == {0}
    digests = [from_hex(version.rows[row].digest, 32) for row in (0, 2, 3)]
    assert sorted(asked) == sorted((1, digest) for digest in digests)
