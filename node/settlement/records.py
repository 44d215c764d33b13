"""Statements and tables, shared: what this node publishes others can fetch, and what they publish it can.

On chain stands only a CID. Without an IPFS daemon a node has its own records alone, which is enough for one
node.
"""

from __future__ import annotations

from typing import Protocol

from node.blobs.ipfs import IpfsDaemon
from node.blobs.store import BlobStore
from node.errors import IntegrityError, NotFound, Unavailable
from node.log import get_logger
from protocol.cid import Cid

log = get_logger("records")

# A statement holds every line of an epoch; what is larger than this was not made by these rules.
MAX_RECORD_BYTES = 1 << 28


class Records(Protocol):
    """Where statements and tables are kept; a `BlobStore` is one, for a node by itself."""

    def put(self, data: bytes, name: str = "") -> Cid: ...
    def get(self, cid: Cid) -> bytes: ...


class SharedRecords:
    """A node's own blobs before an IPFS daemon, which is never believed: every byte is hashed again."""

    def __init__(self, blobs: BlobStore, daemon: IpfsDaemon) -> None:
        self._blobs = blobs
        self._daemon = daemon

    def put(self, data: bytes, name: str = "") -> Cid:
        """Keep a record and hand it to the daemon; where that fails the record is here all the same."""
        cid = self._blobs.put(data, name)
        self._offer(cid)
        return cid

    def get(self, cid: Cid) -> bytes:
        """A record, from the daemon or its peers where it is not here. NotFound where nobody has it."""
        if self._blobs.has(cid):
            return self._blobs.get(cid)
        self._daemon.fetch(self._blobs, cid, "record", MAX_RECORD_BYTES)
        return self._blobs.get(cid)

    def _offer(self, cid: Cid) -> None:
        try:
            self._daemon.send(self._blobs, cid)
        except (Unavailable, IntegrityError, NotFound) as error:
            # The record is safe here; the statement must still be published in time.
            log.warning("record_not_shared", cid=cid.text, error=str(error))
