"""Read a published bundle back, through the same strict checks as serving applies."""

from __future__ import annotations

from inference_worker.adapters.bundle import parse_listing
from inference_worker.adapters.ingest import Caps, ingest
from inference_worker.adapters.refusals import FeatureUnsupported
from inference_worker.adapters.shape import PARENTS, shape_of
from inference_worker.attribution.gradients import LoraWeights
from inference_worker.base.load import Base
from inference_worker.blobs.node_blobs import Blobs


def read_bundle(blobs: Blobs, bundle_cid: str, base: Base) -> LoraWeights:
    """The adapter of a bundle for this base, its scales folded into B. Raises AdapterRefused subclasses."""
    caps = Caps()
    files = {file.name: blobs.get(file.cid) for file in parse_listing(blobs.get(bundle_cid), caps)}
    checked = ingest(files, shape_of(base.model.config.to_dict()), base.fingerprint, caps)
    if checked.invocation:
        # An evaluation runs the adapter over whole questions, which is not what an aLoRA adapter computes.
        raise FeatureUnsupported("alora_invocation_tokens in an evaluation", list(checked.invocation))
    a, b = {}, {}
    for (layer, module), pair in checked.pairs.items():
        path = f"model.layers.{layer}.{PARENTS[module]}.{module}"
        a[path], b[path] = pair.down, pair.up * pair.scale
    return LoraWeights(a, b, 1.0)
