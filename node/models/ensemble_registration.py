"""Registering an ensemble: its members are models already, and become its parents by weight."""

from __future__ import annotations

from collections.abc import Sequence

from node.blobs.store import BlobStore
from node.errors import InvalidInput
from node.models.bundles import CheckedBundle, verify_bundle
from node.models.contracts import ModelStatus, ModelTerms
from node.models.ensembles import read_model_bundle
from node.models.registry import ModelRegistry, RegisteredModel
from protocol.cid import Cid, parse_cid
from protocol.ensemble import MAX_RANK, Ensemble, Member, encode_ensemble, ensemble_of, padded_rank
from protocol.errors import ProtocolError
from protocol.hashing import sha256
from protocol.pricing import Rates
from protocol.shares import split_by_ppm


def register_ensemble(
    registry: ModelRegistry,
    blobs: BlobStore,
    name: str,
    members: Sequence[tuple[str, int]],
    rates: Rates,
    royalties_ppm: int,
    live: bool = True,
) -> RegisteredModel:
    """Register the weighted sum of live models, (`name` or `name@version`, ppm), of one base and one Datanet
    version.

    `royalties_ppm` is what the members' owners get of the model owner's part, divided by the weights. Raises
    InvalidInput or BadBundle where no worker would serve it or no receipt could name it.
    """
    models = [registry.find(reference) for reference, _ in members]
    ensemble = _ensemble(models, [ppm for _, ppm in members])
    by_bundle = {_bundle_of(model).text: model for model in models}
    parents = [by_bundle[member.cid] for member in ensemble.members]
    _check_alike(parents)
    _check_bundles([verify_bundle(blobs, parse_cid(member.cid)) for member in ensemble.members])
    record = encode_ensemble(ensemble)
    cid = blobs.put(record)
    read_model_bundle(blobs, cid)
    royalties = split_by_ppm(royalties_ppm, ensemble.weights)
    first = parents[0].terms
    terms = ModelTerms(
        name,
        first.base_id,
        first.datanet_version_key,
        cid,
        recipe_digest=sha256(record),
        index_digest=sha256(b"".join(parent.terms.index_digest for parent in parents)),
        rates=rates,
        royalties=tuple((parent.id, ppm) for parent, ppm in zip(parents, royalties, strict=True)),
        min_span_tokens=max(parent.terms.min_span_tokens for parent in parents),
    )
    return registry.register(terms, live)


def _ensemble(models: Sequence[RegisteredModel], weights: Sequence[int]) -> Ensemble:
    listed = [Member(_bundle_of(model).text, ppm) for model, ppm in zip(models, weights, strict=True)]
    try:
        return ensemble_of(listed)
    except ProtocolError as error:
        raise InvalidInput("not an ensemble", reason=str(error)) from error


def _bundle_of(model: RegisteredModel) -> Cid:
    if model.terms.bundle is None:
        raise InvalidInput("a member has no adapter", model=model.name)
    return model.terms.bundle


def _check_alike(models: Sequence[RegisteredModel]) -> None:
    first = models[0]
    for model in models:
        if model.status is not ModelStatus.LIVE:
            raise InvalidInput("a member is not live", model=model.name, status=model.status.name.lower())
        for what in ("base_id", "datanet_version_key"):
            ours, theirs = getattr(first.terms, what), getattr(model.terms, what)
            if ours != theirs:
                # A receipt names one base and one version; rows of another could not be paid by it.
                raise InvalidInput(
                    f"members differ in their {what}", members=(first.name, model.name), values=(ours, theirs)
                )


def _check_bundles(bundles: Sequence[CheckedBundle]) -> None:
    ranks = [checked.widest for checked in bundles]
    total = sum(padded_rank(rank) for rank in ranks)
    if total > MAX_RANK:
        raise InvalidInput("the members' padded ranks are too many", ranks=ranks, padded=total, cap=MAX_RANK)
    for checked in bundles:
        if checked.invoked:
            raise InvalidInput("an aLoRA adapter is served alone", bundle=checked.bundle.cid.text)
