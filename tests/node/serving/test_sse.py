"""Events come out the same however the bytes are cut."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.errors import LimitExceeded
from node.serving import sse
from node.serving.sse import EventParser

STREAM = b'event: token\ndata: {"id":1}\n\n: beat\n\nevent: done\r\ndata: {"a":\r\ndata: 2}\r\n\r\n'
EVENTS = [("token", '{"id":1}'), ("done", '{"a":\n2}')]


@given(st.lists(st.integers(0, len(STREAM)), max_size=12))
def test_any_cut_of_the_stream_gives_the_same_events(cuts: list[int]) -> None:
    """SPEC 4.37"""
    parser = EventParser()
    bounds = [0, *sorted(cuts), len(STREAM)]
    events = [event for a, b in pairwise(bounds) for event in parser.feed(STREAM[a:b])]
    assert events == EVENTS


def test_an_event_beyond_the_limit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """SPEC 4.37"""
    monkeypatch.setattr(sse, "MAX_EVENT_BYTES", 16)
    with pytest.raises(LimitExceeded):
        EventParser().feed(b"data: " + b"x" * 32)
