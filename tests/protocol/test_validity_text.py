from dataclasses import replace

from protocol.shrinkage import Estimate
from protocol.validity_text import decimal, sentences
from tests.protocol.validity_made import OWNERS, made_report


def test_every_figure_is_told_with_its_interval_and_what_it_was_measured_on() -> None:
    """SPEC 5.226"""
    report = made_report()
    told = " ".join(sentences(report))
    assert report.halves is not None and report.contributors is not None
    for found in (report.halves.attribution, report.halves.bm25, report.contributors.repsim):
        assert decimal(found) in told
    assert "7 retrainings" in told and "3 questions" in told and "16 general questions" in told
    assert all(owner in told for owner in OWNERS)


def test_no_difference_is_claimed_that_the_interval_does_not_show() -> None:
    """SPEC 5.226"""
    report = made_report()
    assert report.halves is not None
    words = {}
    for low, high in ((10, 20), (-20, -10), (-10, 10)):
        halves = replace(report.halves, over_bm25=Estimate(low, low, high))
        words[low, high] = " ".join(sentences(replace(report, halves=halves, contributors=None)))
    assert "better than text search" in words[10, 20]
    assert "worse than text search" in words[-20, -10]
    assert "No difference from text search is shown" in words[-10, 10]


def test_a_report_without_retrainings_says_that_nothing_was_measured() -> None:
    """SPEC 5.226"""
    bare = replace(made_report(), retrainings=(), halves=None, contributors=None, payouts=None, absences=())
    told = " ".join(sentences(bare))
    assert "Nothing was retrained" in told and "measured elsewhere" in told
