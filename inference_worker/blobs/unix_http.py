"""HTTP/1.1 over a Unix socket, blocking, by the standard library. One connection per call: jobs fetch few,
large things.
"""

from __future__ import annotations

import http.client
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from inference_worker.blobs.abort import Abort
from inference_worker.errors import BlobMissing, NodeUnreachable

PIECE_BYTES = 1 << 20


class _Watched(socket.socket):
    """Asks before every wait for bytes whether the fetch goes on: drops that come in time, each for itself,
    make a head or a chunk's length that never ends."""

    abort: Abort

    def recv_into(self, *arguments: Any) -> int:
        """As a socket's; raises FetchAborted."""
        self.abort.check()
        return super().recv_into(*arguments)


class UnixConnection(http.client.HTTPConnection):
    """An HTTP connection whose far end is a socket file."""

    def __init__(self, path: str, timeout: float, abort: Abort) -> None:
        super().__init__("node", timeout=timeout)
        self._path, self._abort = path, abort

    def connect(self) -> None:
        """Open the socket; called by http.client."""
        self.sock = _Watched(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.abort = self._abort
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)
        self._abort.attach(self.sock)


@dataclass(frozen=True)
class UnixHttp:
    """Requests to one socket under one bearer token.

    Errors: NodeUnreachable, BlobMissing for 404, FetchAborted; `timeout` bounds each wait, in seconds.
    """

    socket_path: str
    token: str
    timeout: float = 60.0

    @contextmanager
    def open(
        self, method: str, path: str, body: bytes | None = None, abort: Abort | None = None
    ) -> Iterator[http.client.HTTPResponse]:
        """The answer to one request, already checked for status 200."""
        abort = abort or Abort()
        connection = UnixConnection(self.socket_path, self.timeout, abort)
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/octet-stream"}
        try:
            connection.request(method, path, body=body, headers=headers)
            response = connection.getresponse()
            if response.status == 404:
                raise BlobMissing(path.rsplit("/", 1)[-1])
            if response.status not in (200, 201):
                raise NodeUnreachable(path, f"status {response.status}: {response.read(300)!r}")
            yield response
        except (OSError, http.client.HTTPException) as error:
            abort.check()
            raise NodeUnreachable(path, f"{type(error).__name__}: {error}") from error
        finally:
            abort.detach()
            connection.close()

    def fetch(
        self, method: str, path: str, body: bytes | None, max_bytes: int, abort: Abort | None = None
    ) -> bytes:
        """The whole answer; NodeUnreachable when it is longer than `max_bytes` or ends before its time."""
        abort = abort or Abort()
        with self.open(method, path, body, abort) as response:
            # Without either, an answer that was cut looks like a whole one.
            if response.length is None and not response.chunked:
                raise NodeUnreachable(path, "an answer of unknown length")
            pieces, size = [], 0
            # One wait a piece, however little it brings: a drip of bytes cannot put off the check.
            while piece := response.read1(PIECE_BYTES):
                pieces.append(piece)
                size += len(piece)
                if size > max_bytes:
                    raise NodeUnreachable(path, f"longer than {max_bytes} bytes")
                abort.check()
            abort.check()
            if response.length:
                raise NodeUnreachable(path, f"ended {response.length} bytes early")
            return b"".join(pieces)
