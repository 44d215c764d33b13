"""What a model's bundle CID stands for: one adapter's bundle, or a record of several with their weights.

One receipt names one base and one Datanet version, so the members of an ensemble must agree in both; a record
whose members do not is no model's bundle.
"""

from __future__ import annotations

from dataclasses import dataclass

from node.blobs.store import BlobStore
from node.training.bundle import MAX_LISTING_BYTES, BadBundle, Bundle, BundleManifest, read_bundle
from protocol.cid import Cid, parse_cid
from protocol.ensemble import Ensemble, decode_ensemble, is_ensemble
from protocol.errors import ProtocolError
from protocol.types import TOTAL_PPM


@dataclass(frozen=True)
class WeightedBundle:
    """An adapter's bundle and how much of the model it is, in ppm."""

    bundle: Bundle
    ppm: int


@dataclass(frozen=True)
class ModelBundle:
    """The adapters behind one CID: a single one with all of the weight, or an ensemble's in their order."""

    cid: Cid
    members: tuple[WeightedBundle, ...]

    @property
    def manifest(self) -> BundleManifest:
        """The first member's; base, tokenizer and dataset manifest are those of all."""
        return self.members[0].bundle.manifest


def read_model_bundle(blobs: BlobStore, cid: Cid) -> ModelBundle:
    """A bundle, or a record and what it names. Raises NotFound where bytes are missing, else BadBundle."""
    data = blobs.get(cid, MAX_LISTING_BYTES)
    if not is_ensemble(data):
        return ModelBundle(cid, (WeightedBundle(read_bundle(blobs, cid), TOTAL_PPM),))
    try:
        ensemble = decode_ensemble(data)
    except ProtocolError as error:
        raise BadBundle("not an ensemble's record", cid=cid.text, reason=str(error)) from error
    bundle = ModelBundle(cid, _members_of(blobs, ensemble))
    for name in ("base_fingerprint", "tokenizer_digest", "dataset_manifest"):
        values = {str(getattr(member.bundle.manifest, name)) for member in bundle.members}
        if len(values) > 1:
            raise BadBundle(f"members differ in their {name}", cid=cid.text, values=sorted(values))
    return bundle


def _members_of(blobs: BlobStore, ensemble: Ensemble) -> tuple[WeightedBundle, ...]:
    return tuple(
        WeightedBundle(read_bundle(blobs, parse_cid(member.cid)), member.ppm) for member in ensemble.members
    )
