"""Streamed text: its pieces join to the whole, characters stay whole, stop strings never show."""

from hypothesis import given, settings
from hypothesis import strategies as st

from inference_worker.engine.text_stream import TextStream, longest_partial


def decode_bytes(ids):
    return bytes(ids).decode("utf-8", errors="replace")


def run(ids, stop=()):
    stream = TextStream(decode_bytes, tuple(stop))
    pieces = []
    for place, token in enumerate(ids):
        pieces.append(stream.push(token, place == len(ids) - 1))
        if stream.stopped:
            break
    return stream, pieces


@given(st.text(max_size=30))
def test_pieces_of_any_text_join_to_it(text):
    """SPEC 4.21"""
    stream, pieces = run(text.encode())
    assert "".join(pieces) == stream.text == text
    assert all("\ufffd" not in piece for piece in pieces) or "\ufffd" in text


@settings(max_examples=300)
@given(st.lists(st.integers(0, 255), max_size=40))
def test_pieces_of_any_bytes_join_to_the_full_decode(ids):
    """SPEC 4.21"""
    assert "".join(run(ids)[1]) == decode_bytes(ids)


def test_half_a_character_is_held_back():
    """SPEC 4.21"""
    stream = TextStream(decode_bytes)
    assert [stream.push(b) for b in "é€😀".encode()] == ["", "é", "", "", "€", "", "", "", "😀"]


@given(st.text("ab", max_size=20), st.lists(st.text("ab", min_size=1, max_size=4), min_size=1, max_size=3))
def test_text_ends_before_the_first_stop_string(text, stops):
    """SPEC 4.22"""
    stream, pieces = run(text.encode(), stops)
    found = [at for s in stops if (at := text.find(s)) >= 0]
    joined = "".join(pieces)
    assert joined == stream.text
    assert all(s not in joined for s in stops)
    if not found:
        assert joined == text and not stream.stopped
    else:
        assert stream.stopped and text.startswith(joined)
        # The stream stops at the first stop string to be complete, as reading a character at a time does.
        first_complete = min(text.find(s) + len(s) for s in stops if s in text)
        assert joined == min((text[:first_complete].split(s)[0] for s in stops), key=len)


@given(st.text("ab", max_size=12), st.text("ab", min_size=1, max_size=5))
def test_longest_partial_is_the_longest(text, stop):
    """SPEC 4.22"""
    expected = max((n for n in range(len(stop)) if n <= len(text) and text.endswith(stop[:n])), default=0)
    assert longest_partial(text, (stop,)) == expected
