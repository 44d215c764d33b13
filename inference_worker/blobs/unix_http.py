"""HTTP/1.1 over a Unix socket, blocking, by the standard library. One connection per call: jobs fetch few,
large things.
"""

from __future__ import annotations

import http.client
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from inference_worker.errors import BlobMissing, NodeUnreachable

PIECE_BYTES = 1 << 20


class UnixConnection(http.client.HTTPConnection):
    """An HTTP connection whose far end is a socket file."""

    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("node", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        """Open the socket; called by http.client."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


@dataclass(frozen=True)
class UnixHttp:
    """Requests to one socket under one bearer token. Errors: NodeUnreachable, and BlobMissing for 404."""

    socket_path: str
    token: str
    timeout: float = 60.0

    @contextmanager
    def open(self, method: str, path: str, body: bytes | None = None) -> Iterator[http.client.HTTPResponse]:
        """The answer to one request, already checked for status 200."""
        connection = UnixConnection(self.socket_path, self.timeout)
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
            raise NodeUnreachable(path, f"{type(error).__name__}: {error}") from error
        finally:
            connection.close()

    def fetch(self, method: str, path: str, body: bytes | None, max_bytes: int) -> bytes:
        """The whole answer; NodeUnreachable when it is longer than `max_bytes`."""
        with self.open(method, path, body) as response:
            pieces, size = [], 0
            while piece := response.read(PIECE_BYTES):
                pieces.append(piece)
                size += len(piece)
                if size > max_bytes:
                    raise NodeUnreachable(path, f"longer than {max_bytes} bytes")
            return b"".join(pieces)
