"""What a finished training must have produced before this node believes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from node.blobs.store import BlobStore
from node.errors import IntegrityError
from node.training.bundle import Bundle, read_bundle, read_validity
from node.training.index_tree import index_tree
from protocol.cid import Cid, parse_cid
from protocol.errors import CidError, ProtocolError
from protocol.fields import Fields
from protocol.hashing import from_hex, to_hex
from protocol.types import MAX_UINT32
from protocol.wire import JobSpec

MAX_TOKENS_BYTES = 256 << 20


class ResultDisagrees(IntegrityError):
    """The worker's result is not of the job that it was given."""


@dataclass(frozen=True)
class TrainingResult:
    """A verified result. `index_digest` is the root over the index's rows, made by this node; `evaluation` is
    the held-out comparison, None where no questions were given.
    """

    bundle: Bundle
    index: Cid
    index_digest: bytes
    tokens: Cid
    recipe_digest: bytes
    min_span_tokens: int
    rows: int
    evaluation: Mapping[str, object] | None


def check_result(spec: JobSpec, result: Mapping[str, object], blobs: BlobStore) -> TrainingResult:
    """The result of a training, with every blob here and every digest as asked for.

    Raises ResultDisagrees, BadBundle, or NotFound where the worker did not hand over its blobs.
    """
    try:
        read = _read(result, blobs)
    except ProtocolError as error:
        raise ResultDisagrees("result is malformed", job_id=spec.job_id, reason=str(error)) from error
    manifest = read.bundle.manifest
    asked = {
        "base_fingerprint": spec.base_fingerprint,
        "dataset_manifest_cid": spec.manifest_cid,
        "index_cid": read.index.text,
        "recipe_digest": to_hex(read.recipe_digest),
        **{name: _plain(value) for name, value in spec.recipe.items()},
    }
    claimed = {
        "base_fingerprint": manifest.base_fingerprint,
        "dataset_manifest_cid": manifest.dataset_manifest.text,
        "index_cid": manifest.index.text,
        "recipe_digest": manifest.recipe_digest,
        **{name: _plain(manifest.recipe.get(name)) for name in spec.recipe},
    }
    wrong = sorted(name for name in asked if asked[name] != claimed[name])
    if wrong:
        raise ResultDisagrees(
            "bundle is of another job",
            asked={name: asked[name] for name in wrong},
            claimed={name: claimed[name] for name in wrong},
        )
    blobs.get(read.tokens, MAX_TOKENS_BYTES)
    read_validity(blobs, read.bundle)
    return replace(read, index_digest=_index_digest(read, blobs))


def _read(result: Mapping[str, object], blobs: BlobStore) -> TrainingResult:
    fields = Fields(dict(result), "result")
    evaluation = None if fields.absent("evaluation") else fields.value("evaluation")
    if evaluation is not None and not isinstance(evaluation, dict):
        raise fields.wrong("evaluation", "must be an object")
    bundle = read_bundle(blobs, _cid(fields, "bundle_cid"))
    read = TrainingResult(
        bundle,
        _cid(fields, "index_cid"),
        b"",
        _cid(fields, "tokens_cid"),
        from_hex(fields.text("recipe_digest", 66), 32),
        fields.integer("min_span_tokens", 1, MAX_UINT32),
        fields.integer("rows", 1, MAX_UINT32),
        evaluation,
    )
    fields.integer("seconds", 0, MAX_UINT32)
    fields.done()
    return read


def _index_digest(result: TrainingResult, blobs: BlobStore) -> bytes:
    tree = index_tree(blobs, result.index)
    if tree.rows != result.rows:
        raise ResultDisagrees("rows of the index", claimed=result.rows, actual=tree.rows)
    return tree.root


def _plain(value: object) -> object:
    # A rate like "1e-3" comes back in the worker's own spelling; numbers compare as numbers.
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return value
    return sorted(map(str, value)) if isinstance(value, list | tuple) else value


def _cid(fields: Fields, name: str) -> Cid:
    try:
        return parse_cid(fields.text(name, 59))
    except CidError as error:
        raise fields.wrong(name, str(error)) from error
