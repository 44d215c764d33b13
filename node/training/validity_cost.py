"""What a larger validity report will cost, said before it is ordered; from the report it goes on from."""

from __future__ import annotations

from dataclasses import dataclass

from protocol.validity import ValidityReport


@dataclass(frozen=True)
class Cost:
    """Retrainings not made yet, and the most rows they train on, each pass over a row counted."""

    retrainings: int
    row_passes: int

    def seconds(self, trained_row_passes: int, trained_seconds: int) -> int:
        """At the pace of a training that took so long for so many."""
        return -(-self.row_passes * trained_seconds // max(1, trained_row_passes))


def cost_of(report: ValidityReport, subsets: int, contributors: int, owners: int) -> Cost:
    """Of a report with so many halves and left-out contributors, of `owners` that there are; none of them is
    made where one contributor has everything.
    """
    design = report.design
    made = {kind: sum(one.kind == kind for one in report.retrainings) for kind in ("half", "whole")}
    halves = max(0, subsets - made["half"]) if design.sampled > 1 else 0
    left = max(0, min(contributors, owners) - report.left_out) if owners > 1 else 0
    whole = int(left > 0 and made["whole"] == 0)
    rows = halves * (design.sampled // 2) + (left + whole) * design.sampled
    return Cost(halves + left + whole, rows * design.passes)
