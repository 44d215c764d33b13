"""Scores that make given units, and the code of a query, for tests that begin with units."""

from protocol.hashing import ZERO_WORD, sha256
from protocol.influence import Influence, Measured, ScoredRow
from protocol.lanes import LaneUnits
from protocol.query_code import CodeBytes

CODE = CodeBytes((3, 5), (bytes(range(64)), bytes(range(192, 256)))).encode()


def scored(lane: LaneUnits, root: bytes = ZERO_WORD, code: bytes = CODE) -> Influence:
    """One section from which the lane follows: units as scores above 0, the unattributed part by chance. A
    lane without rows has one unattributed unit.
    """
    rows = tuple(ScoredRow(row, row, 1 + row, units) for row, units in sorted(lane.units))
    found = Influence(root, sha256(code), Measured(0, lane.unattributed, 1, 0), rows)
    assert found.lane() == LaneUnits(lane.lane, tuple(sorted(lane.units)), lane.unattributed, ran=True)
    return found
