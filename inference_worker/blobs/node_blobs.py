"""Bytes and rows by content id, from the node's private socket. The node is believed in nothing: all is re-
hashed.

Rows arrive as plaintext over the socket and stay in memory; this module writes no file.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from inference_worker.blobs.abort import Abort
from inference_worker.blobs.unix_http import UnixHttp
from inference_worker.errors import BlobCorrupt, NodeUnreachable, RowMismatch
from protocol.canonical import parse_json
from protocol.cid import cid_of_raw, parse_cid
from protocol.errors import ProtocolError
from protocol.fields import Fields
from protocol.hashing import from_hex, to_hex
from protocol.manifest import Manifest, ManifestRow, Row, content_digest, decode_manifest
from protocol.unixfs import CHUNK_BYTES, build

MAX_BLOB_BYTES = 2 << 30
MAX_LINE_BYTES = 4 << 20


@dataclass(frozen=True)
class SourceRow:
    """A row's content with its place in the manifest, digest already checked."""

    place: ManifestRow
    row: Row


class Blobs(Protocol):
    """What training and attribution need of a content-addressed store."""

    def get(self, cid: str) -> bytes:
        """The bytes of a file."""
        ...

    def put(self, data: bytes) -> str:
        """Store a file; returns its CID."""
        ...

    def manifest(self, manifest_cid: str) -> Manifest:
        """A dataset manifest."""
        ...

    def rows(self, manifest_cid: str) -> Iterator[SourceRow]:
        """The readable rows of a manifest."""
        ...


def cid_of(data: bytes) -> str:
    """The CID of a file under profile ol-1."""
    return (cid_of_raw(data) if len(data) <= CHUNK_BYTES else build(data).root).text


class NodeBlobs:
    """The node's blob routes; safe to use from several threads (each call has its own connection)."""

    def __init__(self, node_socket: str, token: str, timeout: float = 60.0) -> None:
        self._http = UnixHttp(node_socket, token, timeout)

    def get(self, cid: str, max_bytes: int = MAX_BLOB_BYTES, abort: Abort | None = None) -> bytes:
        """The bytes of a file: BlobCorrupt if their hash is another, NodeUnreachable above `max_bytes`.

        `abort` may end the wait from outside, with FetchAborted.
        """
        parse_cid(cid)
        data = self._http.fetch("GET", f"/blobs/{cid}", None, max_bytes, abort)
        actual = cid_of(data)
        if actual != cid:
            raise BlobCorrupt(cid, actual)
        return data

    def put(self, data: bytes) -> str:
        """Store a file at the node; BlobCorrupt when the node names it otherwise than we do."""
        expected = cid_of(data)
        answer = Fields(parse_json(self._http.fetch("PUT", "/blobs", data, MAX_LINE_BYTES)), "blob")
        actual = answer.text("cid", 128)
        if actual != expected:
            raise BlobCorrupt(expected, actual)
        return expected

    def manifest(self, manifest_cid: str) -> Manifest:
        """The manifest, checked against its CID and its own rules."""
        return decode_manifest(self.get(manifest_cid))

    def rows(self, manifest_cid: str) -> Iterator[SourceRow]:
        """The rows that the node may read, each checked against its digest in the manifest."""
        places = self.manifest(manifest_cid).rows
        path = f"/rows/{manifest_cid}"
        with self._http.open("GET", path) as response:
            while line := response.readline(MAX_LINE_BYTES):
                if not line.endswith(b"\n") and len(line) >= MAX_LINE_BYTES:
                    raise NodeUnreachable(path, f"a row longer than {MAX_LINE_BYTES} bytes")
                yield checked_row(line, places, path)


def checked_row(line: bytes, places: tuple[ManifestRow, ...], path: str) -> SourceRow:
    """One JSON line `{index, row, salt}` as a row; RowMismatch when its content is not what was
    committed.
    """
    try:
        fields = Fields(parse_json(line, MAX_LINE_BYTES), "row line")
        index = fields.integer("index", 0, max(len(places) - 1, 0))
        salt = "" if fields.absent("salt") else fields.text("salt", 66)
        body = fields.child("row")
        prompt, completion = body.text("prompt", 1 << 20), body.text("completion", 1 << 20)
        row = Row(body.text("kind", 64), prompt, completion, body.text_map("meta", 64, 1 << 16))
        actual = to_hex(content_digest(row, from_hex(salt, 32) if salt else b""))
    except ProtocolError as error:
        raise NodeUnreachable(path, f"unreadable row: {error}") from error
    place = places[index]
    if actual != place.digest:
        raise RowMismatch(index, place.digest, actual)
    return SourceRow(place, row)
