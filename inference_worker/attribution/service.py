"""Answers attribution requests: fetches and keeps indexes, runs the lanes, never touches the network except
the node's socket.

One lock guards the model, whose hooks are set for the length of one gradient pass.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from inference_worker.attribution.ablation import OpenRows, open_rows_of, retrieved_units
from inference_worker.attribution.codes import read_query
from inference_worker.attribution.index import AttributionIndex
from inference_worker.attribution.index_files import IndexFiles
from inference_worker.attribution.index_store import fetch_index, open_index
from inference_worker.attribution.influence import Clusters, InfluenceQuery, influence_of
from inference_worker.attribution.report import Scored, did_not_run, make_report, token_texts
from inference_worker.attribution.row_recheck import row_signs
from inference_worker.attribution.shard_folder import Built, ShardFolder, SpanRow
from inference_worker.attribution.spans import credited_matches
from inference_worker.attribution.version_spans import version_spans
from inference_worker.base.chat import exchange_of
from inference_worker.base.exchange import Exchange
from inference_worker.base.load import Base
from inference_worker.base.text_tokens import encode_text
from inference_worker.blobs.node_blobs import Blobs, SourceRow
from inference_worker.errors import BaseMismatch, IndexCorrupt
from protocol.attribution import Lane, LaneUnits
from protocol.retrieval import Ablations
from protocol.spans import Match, span_units
from protocol.wire import AttributeRequest, AttributeResult, RowsRequest, RowsResult

KEPT_INDEXES = 4

T = TypeVar("T")


@dataclass(frozen=True)
class _Version:
    """What the span lane, the clusters and the retrieval lane need of one dataset version."""

    clusters: Clusters
    open_rows: OpenRows
    spans: Built


class AttributionService:
    """`attribute` may be called from several threads; answers are computed one after the other."""

    def __init__(self, base: Base, blobs: Blobs, indexes: Path, spans: Path | None = None) -> None:
        """`indexes`: folder for the files of indexes. `spans`: folder for the span index of rows that are not
        gated; without one it is in memory.
        """
        self._base = base
        self._files = IndexFiles(indexes)
        self._shards = None if spans is None else ShardFolder(spans, base.tokenizer_digest)
        self._blobs = blobs
        self._lock = threading.Lock()
        self._indexes: OrderedDict[str, tuple[AttributionIndex, InfluenceQuery]] = OrderedDict()
        self._versions: OrderedDict[str, _Version] = OrderedDict()

    def attribute(self, request: AttributeRequest) -> AttributeResult:
        """The lanes asked for. Raises WorkerError subclasses: BlobMissing, BlobCorrupt, IndexCorrupt,
        BaseMismatch.
        """
        with self._lock:
            index, influence = _kept(self._indexes, request.index_cid, self._load_index)
            if index.facts.manifest_cid != request.manifest_cid:
                raise IndexCorrupt("manifest of the index", request.manifest_cid, index.facts.manifest_cid)
            version = _kept(self._versions, request.manifest_cid, self._load_version)
            if int(index.rows[-1]) >= len(version.clusters):
                raise IndexCorrupt("rows of the manifest", len(version.clusters), int(index.rows[-1]) + 1)
            lanes, matches, ablations, scored = self._run(request, index, influence, version)
        texts = token_texts(self._base.tokenizer, request.output_ids)
        return make_report(lanes, matches, texts, ablations, index.shape.losses > 0, scored)

    def recheck(self, request: RowsRequest) -> RowsResult:
        """The signs of rows computed anew; rows that the node does not hand out are left out. Raises as
        `attribute`.
        """
        wanted = set(request.rows)
        with self._lock:
            index, _ = _kept(self._indexes, request.index_cid, self._load_index)
            exchanges = {
                source.place.index: exchange_of(
                    self._base.tokenizer, source.row.prompt, source.row.completion, request.max_length
                )
                for source in self._blobs.rows(request.manifest_cid)
                if source.place.index in wanted
            }
            return RowsResult(row_signs(self._base.model, index, exchanges))

    def warm(self, index_cid: str, manifest_cid: str) -> None:
        """Load what the first answer of a model would otherwise wait for."""
        with self._lock:
            _kept(self._indexes, index_cid, self._load_index)
            _kept(self._versions, manifest_cid, self._load_version)

    def _run(
        self, request: AttributeRequest, index: AttributionIndex, influence: InfluenceQuery, version: _Version
    ) -> tuple[list[LaneUnits], list[Match], Ablations | None, Scored | None]:
        lanes: list[LaneUnits] = []
        matches: list[Match] = []
        ablations, scored = None, None
        for lane in request.lanes:
            if lane is Lane.GRADIENT and request.output_ids:
                exchange = Exchange(_asked_alone(request), request.output_ids)
                query, ledger = influence.code(exchange)
                if request.query_code:
                    query = read_query(request.query_code, index.shape)
                found = influence_of(index, query, ledger, version.clusters)
                scored = Scored(found, query.encode())
                lanes.append(found.lane())
            elif lane is Lane.SPAN and request.output_ids:
                matches = credited_matches(version.spans.index, request.output_ids, request.min_span_tokens)
                lanes.append(span_units(matches, len(request.output_ids)))
            elif lane is Lane.RETRIEVAL and request.output_ids and request.context is not None:
                lane_found, ablations = retrieved_units(
                    self._base, index, self._blobs, version.open_rows, request, request.context
                )
                lanes.append(lane_found)
            else:
                lanes.append(did_not_run(lane))
        return lanes, matches, ablations, scored

    def _load_index(self, cid: str) -> tuple[AttributionIndex, InfluenceQuery]:
        kept = {name for index, _ in self._indexes.values() for name in index.files()}
        fetch_index(self._files, cid, self._blobs, kept)
        index = open_index(self._files, cid)
        if index.facts.base_fingerprint != self._base.fingerprint:
            raise BaseMismatch(index.facts.base_fingerprint, self._base.fingerprint)
        return index, InfluenceQuery(self._base.model, index)

    def _load_version(self, cid: str) -> _Version:
        manifest = self._blobs.manifest(cid)
        clusters = np.fromiter((row.cluster for row in manifest.rows), np.uint32, len(manifest.rows))
        open_rows = open_rows_of(manifest)
        sources = {source.place.index: source for source in self._blobs.rows(cid)}
        places = [sources[index].place for index in sorted(sources)]
        spanned = [SpanRow(place.index, place.digest, place.gated) for place in places]
        spans = version_spans(self._shards, spanned, partial(_tokens_of, self._base.tokenizer, sources))
        if self._shards is not None:
            kept = (version.spans.files for version in self._versions.values())
            self._shards.forget_but(spans.files.union(*kept))
        return _Version(clusters, open_rows, spans)


def _asked_alone(request: AttributeRequest) -> tuple[int, ...]:
    """The prompt without retrieved rows, as the trained rows were met: what they added is another lane's."""
    if request.context is None:
        return request.prompt_ids
    return request.context.keep(request.prompt_ids, ())


def row_tokens(tokenizer: Any, prompt: str, completion: str) -> tuple[int, ...]:
    """A row's ids for span matching: question and answer tokenised apart, as the model meets them, and
    joined.
    """
    return (*encode_text(tokenizer, prompt), *encode_text(tokenizer, completion))


def _tokens_of(tokenizer: Any, sources: Mapping[int, SourceRow], index: int) -> tuple[int, ...]:
    row = sources[index].row
    return row_tokens(tokenizer, row.prompt, row.completion)


def _kept(cache: OrderedDict[str, T], key: str, load: Callable[[str], T]) -> T:
    """The cached value, loaded on first use; the least recently used is dropped."""
    if key not in cache:
        cache[key] = load(key)
        while len(cache) > KEPT_INDEXES:
            cache.popitem(last=False)
    cache.move_to_end(key)
    return cache[key]
