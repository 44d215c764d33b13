"""Fetching from a node that misbehaves: what is cut, slow or stuck ends with a reason, when it must."""

import socket
import threading
from contextlib import contextmanager, suppress

import pytest

from inference_worker.blobs.abort import Abort, FetchAborted
from inference_worker.blobs.unix_http import UnixHttp
from inference_worker.errors import NodeUnreachable

WAIT_SECONDS = 60
HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@contextmanager
def node(path, pieces, ends=True):
    """A server that sends these pieces to its first caller and then closes, or holds the line open."""
    reached, leave = threading.Event(), threading.Event()
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()

        def serve():
            caller, _ = listening.accept()
            with caller, suppress(BrokenPipeError):
                caller.recv(65536)
                for piece in pieces:
                    caller.sendall(piece)
                reached.set()
                if not ends:
                    leave.wait(WAIT_SECONDS)

        thread = threading.Thread(target=serve)
        thread.start()
        yield UnixHttp(str(path), "token"), reached
        leave.set()
        thread.join()


def test_a_whole_answer_is_read_in_whatever_pieces_it_comes(tmp_path):
    """SPEC 4.107"""
    with node(tmp_path / "s", [HEAD, b"a" * 400, b"b" * 600]) as (http, _):
        assert http.fetch("GET", "/x", None, 1000) == b"a" * 400 + b"b" * 600


@pytest.mark.parametrize(
    "pieces",
    [[HEAD], [HEAD, b"a" * 999], [b"HTTP/1.1 200 OK\r\nConte"], [b""], [CHUNKED, b"5\r\nab"], [CHUNKED]],
)
def test_an_answer_that_is_cut_is_an_error_of_the_node(tmp_path, pieces):
    """SPEC 4.107"""
    with node(tmp_path / "s", pieces) as (http, _), pytest.raises(NodeUnreachable):
        http.fetch("GET", "/x", None, 10_000)


def test_no_more_is_taken_than_was_asked_for(tmp_path):
    """SPEC 4.6"""
    with (
        node(tmp_path / "s", [HEAD, b"a" * 1000]) as (http, _),
        pytest.raises(NodeUnreachable, match="longer"),
    ):
        http.fetch("GET", "/x", None, 999)


@pytest.mark.parametrize("pieces", [[], [HEAD], [HEAD, b"a" * 999]], ids=["no answer", "no body", "no end"])
def test_a_fetch_that_waits_ends_when_it_is_given_up(tmp_path, pieces):
    """SPEC 4.107"""
    with node(tmp_path / "s", pieces, ends=False) as (http, reached):
        abort, outcome = Abort(), []

        def fetch():
            with pytest.raises(FetchAborted, match="changed my mind"):
                http.fetch("GET", "/x", None, 10_000, abort)
            outcome.append("ended")

        waiting = threading.Thread(target=fetch)
        waiting.start()
        assert reached.wait(WAIT_SECONDS)
        abort.abort("changed my mind")
        waiting.join(WAIT_SECONDS)
        assert outcome == ["ended"]


def test_a_fetch_ends_at_its_deadline_whatever_drips_in(tmp_path):
    """SPEC 4.107"""
    abort = Abort()
    abort.limit(0.05)
    with (
        node(tmp_path / "s", [HEAD, b"a"], ends=False) as (http, _),
        pytest.raises(FetchAborted, match=r"0\.05 seconds"),
    ):
        http.fetch("GET", "/x", None, 10_000, abort)


@pytest.mark.parametrize("begins", [b"HTTP/1.1 200 OK\r\nX-Pad: ", CHUNKED + b"1;"], ids=["head", "chunk"])
def test_a_fetch_ends_at_its_deadline_within_a_line_too(tmp_path, begins):
    """SPEC 4.107"""
    abort, sent, patience = Abort(), [], threading.Event()
    abort.limit(0.1)

    def drops():
        yield begins
        # Each comes long before the wait for it is over; all of them long after the deadline.
        for number in range(500):
            patience.wait(0.01)
            sent.append(number)
            yield b"a"

    with node(tmp_path / "s", drops()) as (http, _), pytest.raises(FetchAborted, match=r"0\.1 seconds"):
        http.fetch("GET", "/x", None, 10_000, abort)
    assert len(sent) < 500


def test_a_fetch_given_up_before_it_began_sends_nothing(tmp_path):
    """SPEC 4.107"""
    abort = Abort()
    abort.abort("too late")
    abort.abort("later still")
    assert abort.aborted
    with node(tmp_path / "s", [HEAD]) as (http, _), pytest.raises(FetchAborted, match="too late"):
        http.fetch("GET", "/x", None, 10_000, abort)


def test_time_is_counted_from_the_limit_on():
    """SPEC 4.107"""
    now = [100.0]
    abort = Abort(lambda: now[0])
    abort.check()
    abort.limit(5.0)
    now[0] = 104.9
    abort.check()
    now[0] = 105.0
    with pytest.raises(FetchAborted, match="5 seconds"):
        abort.check()
