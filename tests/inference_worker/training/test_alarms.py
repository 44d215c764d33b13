from inference_worker.attribution.disagreement import PathShares
from inference_worker.training.alarms import alarm_sentences


def test_a_reader_is_told_who_or_that_no_one_stands_out() -> None:
    """SPEC 5.152"""
    (told,) = alarm_sentences([("0xab", PathShares(0, 9.0, 0.5, 1.0))])
    assert "`0xab`" in told and "9.0 and 0.5" in told
    (quiet,) = alarm_sentences([])
    assert "agree" in quiet and alarm_sentences(None) == []
