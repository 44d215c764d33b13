"""A daemon that lies, refuses or is not there: the node keeps its own CIDs and says what happened."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from node.blobs.car import BadCar, encode_car
from node.blobs.ipfs import IpfsDaemon, IpfsDisagrees, IpfsUnavailable
from node.blobs.store import BlobStore
from protocol.cid import cid_of_raw
from protocol.unixfs import build

OTHER = build(b"another file altogether")


class LyingDaemon(BaseHTTPRequestHandler):
    """Answers imports with another root, exports with another graph, and every other call with an error."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if "dag/import" in self.path:
            self.answer(
                200, json.dumps({"Root": {"Cid": {"/": OTHER.root.text}, "PinErrorMsg": ""}}).encode()
            )
        elif "dag/export" in self.path:
            self.answer(200, encode_car(OTHER.root, OTHER.blocks))
        else:
            self.answer(500, json.dumps({"Message": "no", "Code": 0, "Type": "error"}).encode())

    def answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture
def liar() -> Iterator[IpfsDaemon]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), LyingDaemon)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield IpfsDaemon(f"/ip4/127.0.0.1/tcp/{server.server_address[1]}", timeout=5)
    server.shutdown()
    server.server_close()


def test_another_root_than_ours_is_an_error(liar: IpfsDaemon, blobs: BlobStore) -> None:
    """SPEC 1.7"""
    root = blobs.put(b"our file")
    with pytest.raises(IpfsDisagrees, match=OTHER.root.text):
        liar.send(blobs, root)


def test_another_graph_than_asked_for_is_never_stored(liar: IpfsDaemon, blobs: BlobStore) -> None:
    """SPEC 1.5"""
    with pytest.raises(BadCar):
        liar.fetch(blobs, cid_of_raw(b"what we asked for"))
    assert not blobs.has(OTHER.root) and blobs.pins() == {}


def test_a_refusal_is_not_mistaken_for_an_answer(liar: IpfsDaemon) -> None:
    """SPEC 1.8"""
    with pytest.raises(IpfsUnavailable):
        liar.version()
    assert liar.has(OTHER.root) is False


def test_no_daemon_is_unavailable_and_what_is_stored_here_still_works(blobs: BlobStore) -> None:
    """SPEC 1.8"""
    nobody = IpfsDaemon("/ip4/127.0.0.1/tcp/1", timeout=2)
    with pytest.raises(IpfsUnavailable):
        nobody.version()
    with pytest.raises(IpfsUnavailable):
        nobody.has(OTHER.root)
    with pytest.raises(IpfsUnavailable):
        nobody.fetch(blobs, OTHER.root)
    here = blobs.put(b"stored here")
    nobody.fetch(blobs, here, "still here")
    assert blobs.get(here) == b"stored here"
