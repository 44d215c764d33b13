"""Rows of a model's Datanet version for a prompt: the nearest by BM25, open ones under consent alone.

Deterministic: equal versions and questions give equal rows, ties by row index. A copy is never found, only
the row that it copies. What the chain says is withdrawn is passed over, whatever the version says.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from node.blobs.store import BlobStore
from node.errors import InvalidInput, NotFound
from node.log import get_logger
from node.serving.model import ServedModel
from protocol.bm25 import Bm25
from protocol.cid import parse_cid
from protocol.context import MAX_CONTEXT_BYTES, ContextRow, row_text
from protocol.errors import ProtocolError
from protocol.hashing import from_hex
from protocol.manifest import Manifest, decode_row
from protocol.retrieval import retrievable_rows

log = get_logger("retriever")

KEPT_VERSIONS = 4
MAX_ROW_BYTES = 1 << 20
# Rows looked at for each one wanted: some are withdrawn, others too long for what room is left.
LOOKED_AT = 4

ManifestOf = Callable[[str], Manifest]
IsRevoked = Callable[[int, bytes], bool]


class NothingToRetrieve(InvalidInput):
    """The model was trained on no Datanet version, so there are no rows to put into its prompts."""


@dataclass(frozen=True)
class _Searchable:
    """One version's rows under one index; `rows[place]` is the manifest index of text `place`."""

    manifest: Manifest
    rows: tuple[int, ...]
    index: Bm25


class Retriever:
    """Finds rows for prompts; safe to call from several threads. The first question of a version waits for
    its index, which is in memory only: 8 bytes for each word of each row.
    """

    def __init__(self, blobs: BlobStore, manifest_of: ManifestOf, is_revoked: IsRevoked) -> None:
        self._blobs = blobs
        self._manifest_of = manifest_of
        self._is_revoked = is_revoked
        self._lock = threading.Lock()
        self._versions: OrderedDict[str, _Searchable] = OrderedDict()

    def find(self, model: ServedModel, question: str, most: int) -> tuple[ContextRow, ...]:
        """Up to `most` rows that share a word with the question, the nearest first, of MAX_CONTEXT_BYTES
        in all. Raises NothingToRetrieve for a model without a Datanet version.
        """
        if model.manifest_cid is None or not model.sources:
            raise NothingToRetrieve("the model has no Datanet to retrieve rows from", model=model.name)
        version = self._version(model.manifest_cid)
        found: list[ContextRow] = []
        room = MAX_CONTEXT_BYTES
        for place in version.index.nearest(question, LOOKED_AT * most):
            row = version.rows[place]
            text = self._text(version.manifest, row)
            size = len((text or "").encode("utf-8"))
            if text is not None and size <= room and not self._withdrawn(version.manifest, row):
                found.append(ContextRow(row, text))
                room -= size
            if len(found) == most:
                break
        return tuple(found)

    def _version(self, cid: str) -> _Searchable:
        with self._lock:
            if cid not in self._versions:
                self._versions[cid] = self._load(cid)
                while len(self._versions) > KEPT_VERSIONS:
                    self._versions.popitem(last=False)
            self._versions.move_to_end(cid)
            return self._versions[cid]

    def _load(self, cid: str) -> _Searchable:
        manifest = self._manifest_of(cid)
        rows = retrievable_rows(manifest)
        log.info("retrieval_index", manifest=cid, rows=len(rows))
        return _Searchable(manifest, rows, Bm25(self._texts(manifest, rows)))

    def _texts(self, manifest: Manifest, rows: tuple[int, ...]) -> Iterator[str]:
        for row in rows:
            yield self._text(manifest, row) or ""

    def _text(self, manifest: Manifest, row: int) -> str | None:
        """The row as it would stand in a prompt; None where its bytes are not here or it says nothing."""
        try:
            data = self._blobs.get(parse_cid(manifest.rows[row].cid), MAX_ROW_BYTES)
            return row_text(decode_row(data)) or None
        except (NotFound, ProtocolError) as error:
            log.warning("row_not_retrievable", row=row, reason=str(error))
            return None

    def _withdrawn(self, manifest: Manifest, row: int) -> bool:
        return self._is_revoked(manifest.datanet, from_hex(manifest.rows[row].digest, 32))
