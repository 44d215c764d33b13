"""Registered models: registering what was trained here, and finding any model by name as it is priced now.

The mirror serves when the chain does not answer; a price is then the last one read, which is what the receipt
will say.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from node.blobs.store import BlobStore
from node.errors import ChainReverted, ChainUnreachable, InvalidInput, NotFound
from node.models.bundles import verify_bundle
from node.models.contracts import ChainModel, ModelContracts, ModelStatus, ModelTerms
from node.store.models import ModelTable, StoredModel
from node.training.result import TrainingResult
from protocol.cid import Cid, parse_cid
from protocol.hashing import from_hex
from protocol.pricing import Rates
from protocol.types import Address

log = structlog.get_logger(component="models")

UNKNOWN_NAME = "ModelRegistryUnknownName"
MAX_NAME_CHARS = 64
MAX_VERSION = 2**64 - 1


@dataclass(frozen=True)
class RegisteredModel:
    """A model under its name and version, with the terms and the price that hold now."""

    id: int
    name: str
    version: int
    owner: Address
    status: ModelStatus
    terms: ModelTerms


def parse_reference(reference: str) -> tuple[str, int]:
    """`name` or `name@version` as (name, version), version 0 for the latest. Raises InvalidInput."""
    name, at, digits = reference.rpartition("@") if "@" in reference else (reference, "", "")
    canonical = digits.isascii() and digits.isdigit() and not digits.startswith("0")
    if (
        not 0 < len(name) <= MAX_NAME_CHARS
        or "@" in name
        or (at and not (canonical and int(digits[:21]) <= MAX_VERSION))
    ):
        raise InvalidInput("not a model name", reference=reference[:100])
    return name, int(digits) if at else 0


class ModelRegistry:
    """Stage 3. `contracts` needs an account only for registering."""

    def __init__(self, table: ModelTable, blobs: BlobStore, contracts: ModelContracts) -> None:
        self._table = table
        self._blobs = blobs
        self._contracts = contracts

    def register_base(self, fingerprint: bytes, tokenizer_digest: bytes, metadata: Cid) -> int:
        """The id of a base model, registering it if nobody has yet.

        Raises InvalidInput where it is registered with another tokenizer: token ids would mean other words.
        """
        known = self._contracts.base_id(fingerprint)
        if known == 0:
            return self._contracts.register_base(fingerprint, tokenizer_digest, metadata)
        registered = self._contracts.base(known).tokenizer_digest
        if registered != tokenizer_digest:
            raise InvalidInput(
                "base is registered with another tokenizer",
                registered=registered.hex(),
                ours=tokenizer_digest.hex(),
            )
        return known

    def register_trained(
        self,
        name: str,
        datanet_version_key: int,
        result: TrainingResult,
        rates: Rates,
        royalties: Sequence[tuple[int, int]] = (),
        live: bool = True,
    ) -> RegisteredModel:
        """Register a trained adapter as our account's model. Raises BadBundle where no worker would serve it.

        `royalties` are (parent model id, ppm of the model owner's share). The base must be registered.
        """
        checked = verify_bundle(self._blobs, result.bundle.cid)
        fingerprint = from_hex(checked.bundle.manifest.base_fingerprint, 32)
        base_id = self._contracts.base_id(fingerprint)
        if base_id == 0:
            raise NotFound("the adapter's base is not registered", fingerprint=fingerprint.hex())
        terms = ModelTerms(
            name,
            base_id,
            datanet_version_key,
            result.bundle.cid,
            result.recipe_digest,
            result.index_digest,
            rates,
            tuple(royalties),
            result.min_span_tokens,
        )
        return self.register(terms, live)

    def register(self, terms: ModelTerms, live: bool = True) -> RegisteredModel:
        """Register any model, live or as a draft; a bare base has neither bundle nor Datanet."""
        if parse_reference(terms.name)[1] != 0:
            raise InvalidInput("a model's own name holds no @", name=terms.name)
        model = self._adopt(self._contracts.register_model(terms, live))
        log.info("model_registered", model=model.id, name=model.name, version=model.version)
        return model

    def refresh(self) -> int:
        """Read every model from the chain again; return how many there are."""
        count = self._contracts.model_count()
        for model_id in range(1, count + 1):
            self._adopt(model_id)
        return count

    def find(self, reference: str) -> RegisteredModel:
        """The model of `name` or `name@version` with its price now. Raises NotFound or InvalidInput."""
        name, version = parse_reference(reference)
        try:
            return self._adopt(self._contracts.model_id(name, version))
        except ChainReverted as error:
            if error.name != UNKNOWN_NAME:
                raise
            raise NotFound("no such model", reference=reference) from error
        except ChainUnreachable:
            stored = self._table.find(name, version)
            if stored is None:
                raise
            return _registered(stored)

    def models(self) -> tuple[RegisteredModel, ...]:
        """Every model as last read, by id."""
        return tuple(_registered(stored) for stored in self._table.all())

    def owner_of(self, model_id: int) -> Address:
        """Whose a model is, e.g. to pay a parent its royalty."""
        stored = self._table.get(model_id)
        return Address(stored.owner) if stored is not None else self._adopt(model_id).owner

    def _adopt(self, model_id: int) -> RegisteredModel:
        model = self._contracts.model(model_id)
        known = self._table.get(model_id)
        version = known.version if known is not None else self._version_of(model)
        terms = _dump(model.terms)
        stored = StoredModel(model_id, model.terms.name, version, model.owner, int(model.status), terms)
        self._table.put(stored)
        return _registered(stored)

    def _version_of(self, model: ChainModel) -> int:
        # Versions of a name are its registrations in order of id, so the id is found by halving.
        low, high = 1, model.id
        while low < high:
            middle = (low + high) // 2
            try:
                found = self._contracts.model_id(model.terms.name, middle)
            except ChainReverted:
                found = model.id + 1
            low, high = (middle + 1, high) if found < model.id else (low, middle)
        return low


def _registered(stored: StoredModel) -> RegisteredModel:
    terms = _load(stored.terms_json)
    status = ModelStatus(stored.status)
    return RegisteredModel(stored.id, stored.name, stored.version, Address(stored.owner), status, terms)


def _dump(terms: ModelTerms) -> str:
    return json.dumps(
        {
            "name": terms.name,
            "base_id": terms.base_id,
            "datanet_version_key": terms.datanet_version_key,
            "bundle": None if terms.bundle is None else terms.bundle.text,
            "recipe_digest": terms.recipe_digest.hex(),
            "index_digest": terms.index_digest.hex(),
            "rates": [terms.rates.in_rate, terms.rates.out_rate, terms.rates.fixed],
            "royalties": terms.royalties,
            "min_span_tokens": terms.min_span_tokens,
        }
    )


def _load(text: str) -> ModelTerms:
    fields = json.loads(text)
    return ModelTerms(
        fields["name"],
        fields["base_id"],
        fields["datanet_version_key"],
        None if fields["bundle"] is None else parse_cid(fields["bundle"]),
        bytes.fromhex(fields["recipe_digest"]),
        bytes.fromhex(fields["index_digest"]),
        Rates(*fields["rates"]),
        tuple((parent, ppm) for parent, ppm in fields["royalties"]),
        fields["min_span_tokens"],
    )
