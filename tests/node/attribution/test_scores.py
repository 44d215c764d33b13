"""A worker's units are believed only where they follow from scores of the model's own index."""

from dataclasses import replace

import pytest

from node.attribution.reports import ReportRefused
from node.attribution.scores import scored_results
from protocol.attribution import Lane, LaneUnits
from protocol.influence import Influence
from protocol.wire import AttributeResult
from tests.node.attribution.test_reports import MANIFEST, ROWS
from tests.protocol.influences import CODE, scored

ROOT, OTHER = b"\7" * 32, b"\6" * 32
LANE = LaneUnits(Lane.GRADIENT, ((3, 9), (0, 5)), 2, ran=True)
SPAN = LaneUnits(Lane.SPAN, (), 4, ran=True)
SECTION = scored(LANE)
RIGHT = AttributeResult(b"\1" * 32, (LANE, SPAN), (), (), influence=(SECTION,), query_codes=(CODE,))


def check(*results: AttributeResult) -> list[AttributeResult]:
    return scored_results(results, (ROOT, OTHER)[: len(results)], MANIFEST)


def section(**changes: object) -> Influence:
    return replace(SECTION, **changes)  # type: ignore[arg-type]


def test_units_that_follow_from_scores_of_the_index_pass() -> None:
    """SPEC 5.184"""
    assert check(RIGHT) == [replace(RIGHT, influence=(section(index_root=ROOT),))]
    check(replace(RIGHT, lanes=(SPAN,), influence=(), query_codes=()))
    check(replace(RIGHT, lanes=(replace(LANE, units=(), ran=False),), influence=(), query_codes=()))


@pytest.mark.parametrize(
    "wrong",
    [
        replace(RIGHT, lanes=(replace(LANE, unattributed=3), SPAN)),
        replace(RIGHT, lanes=(replace(LANE, units=((3, 8), (0, 5))), SPAN)),
        replace(RIGHT, lanes=(replace(LANE, units=((3, 9),)), SPAN)),
        replace(RIGHT, lanes=(SPAN,)),
        replace(RIGHT, influence=(), query_codes=()),
        replace(RIGHT, influence=(SECTION, SECTION)),
        replace(RIGHT, query_codes=(CODE + b"\0",)),
        replace(RIGHT, query_codes=()),
        replace(RIGHT, influence=(section(index_root=OTHER),)),
        replace(RIGHT, influence=(section(query_code_hash=OTHER),)),
        replace(RIGHT, influence=(section(rows=(replace(SECTION.rows[0], member=1), SECTION.rows[1])),)),
        replace(RIGHT, influence=(section(rows=(replace(SECTION.rows[0], member=ROWS), SECTION.rows[1])),)),
        replace(RIGHT, influence=(section(rows=(replace(SECTION.rows[0], score=6), SECTION.rows[1])),)),
        replace(RIGHT, influence=(section(measured=replace(SECTION.measured, kappa_ppm=999_999)),)),
    ],
    ids=[
        "more unattributed",
        "other units",
        "a row less",
        "scores without a lane",
        "no scores",
        "twice",
        "another code",
        "no code",
        "a root of its own",
        "another hash",
        "a member of another cluster",
        "a member outside",
        "another score",
        "shrunk",
    ],
)
def test_anything_else_is_refused(wrong: AttributeResult) -> None:
    """SPEC 5.184"""
    with pytest.raises(ReportRefused):
        check(wrong)


def test_each_member_is_scored_by_its_own_index() -> None:
    """SPEC 5.184, 4.219"""
    second = replace(RIGHT, lanes=(LANE,))
    roots = [section.index_root for result in check(RIGHT, second) for section in result.influence]
    assert roots == [ROOT, OTHER]
    silent = replace(second, lanes=(replace(LANE, units=(), ran=False),), influence=(), query_codes=())
    with pytest.raises(ReportRefused, match="some members"):
        check(RIGHT, silent)
