"""Registered models as served ones: what the registry says of a model, joined with what its bundle holds.

A model that this node cannot serve, because it is not live or because its bytes are not here, is not
found; why is in the error. The registry decides the price anew at each request.
"""

from __future__ import annotations

import json

from node.blobs.store import BlobStore
from node.errors import NotFound
from node.models.contracts import ModelContracts, ModelStatus
from node.models.ensembles import ModelBundle, read_model_bundle
from node.models.registry import ModelRegistry, RegisteredModel
from node.serving.model import NO_ROOT, ServedModel, Source
from node.store.models import TrainingTable
from node.training.index_tree import BadIndex, index_tree
from protocol.cid import Cid
from protocol.hashing import to_hex
from protocol.influence_list import index_digest


class RegistryCatalog:
    """Satisfies `node.serving.model.Catalog` from the model registry and this node's blobs."""

    def __init__(
        self, registry: ModelRegistry, contracts: ModelContracts, blobs: BlobStore, trainings: TrainingTable
    ) -> None:
        self._registry = registry
        self._contracts = contracts
        self._blobs = blobs
        self._trainings = trainings
        self._bundles: dict[Cid, ModelBundle] = {}
        self._roots: dict[Cid, bytes] = {}

    def find(self, name: str) -> ServedModel:
        """The model by `name` or `name@version`, at its price now. Raises NotFound."""
        model = self._registry.find(name)
        if model.status is not ModelStatus.LIVE:
            raise NotFound("the model is not live", model=name, status=model.status.name.lower())
        bundle = self.bundle(model)
        sources = () if bundle is None else self._sources_of(bundle, model)
        terms = model.terms
        return ServedModel(
            name=name,
            model_id=model.id,
            owner=model.owner,
            base_fingerprint=self._fingerprint(model, bundle),
            adapter_cid=None if bundle is None else bundle.cid.text,
            index_cid=sources[0].index_cid if len(sources) == 1 else None,
            manifest_cid=None if bundle is None else bundle.manifest.dataset_manifest.text,
            tokens_cid=self._tokens_of(sources),
            datanet_version_key=terms.datanet_version_key,
            in_rate=terms.rates.in_rate,
            out_rate=terms.rates.out_rate,
            fixed_price=terms.rates.fixed,
            royalties=tuple((self._registry.owner_of(parent), ppm) for parent, ppm in terms.royalties),
            min_span_tokens=terms.min_span_tokens,
            members=sources if len(sources) > 1 else (),
            index_root=sources[0].index_root if len(sources) == 1 else NO_ROOT,
        )

    def bundle(self, model: RegisteredModel) -> ModelBundle | None:
        """The model's bundle or its members', None for a bare base. Raises NotFound."""
        cid = model.terms.bundle
        if cid is None:
            return None
        if cid not in self._bundles:
            self._bundles[cid] = read_model_bundle(self._blobs, cid)
        return self._bundles[cid]

    def _fingerprint(self, model: RegisteredModel, bundle: ModelBundle | None) -> str:
        if bundle is not None:
            return bundle.manifest.base_fingerprint
        return to_hex(self._contracts.base(model.terms.base_id).fingerprint)

    def _sources_of(self, bundle: ModelBundle, model: RegisteredModel) -> tuple[Source, ...]:
        """The adapters, with the roots of the indexes that are here: those that the model registered, or
        whoever serves it would state scores of another.
        """
        indexes = [member.bundle.manifest.index for member in bundle.members]
        roots = [self._root_of(index) for index in indexes]
        found = index_digest(roots)
        if found != model.terms.index_digest:
            raise NotFound(
                "the model registered another index",
                model=model.name,
                registered=to_hex(model.terms.index_digest),
                actual=to_hex(found),
            )
        return tuple(
            Source(member.bundle.cid.text, index.text, member.ppm, to_hex(root))
            for member, index, root in zip(bundle.members, indexes, roots, strict=True)
        )

    def _root_of(self, index: Cid) -> bytes:
        if index not in self._roots:
            try:
                self._roots[index] = index_tree(self._blobs, index).root
            except BadIndex as error:
                raise NotFound(
                    "the model's index is unusable", index=index.text, reason=str(error)
                ) from error
        return self._roots[index]

    def _tokens_of(self, sources: tuple[Source, ...]) -> str | None:
        """The open rows' token ids, where one of the adapters was trained here: their version is one."""
        wanted = {source.adapter_cid for source in sources}
        for job in self._trainings.all():
            result = json.loads(job.status_json).get("result") or {}
            if result.get("bundle_cid") in wanted:
                return str(result["tokens_cid"])
        return None
