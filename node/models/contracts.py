"""The ModelRegistry contract as typed calls."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from web3.contract.contract import ContractFunction
from web3.logs import DISCARD

from node.chain.rpc import Chain
from node.chain.transactor import Transactor
from node.errors import IntegrityError
from protocol.cid import Cid, cid_from_binary
from protocol.pricing import Rates
from protocol.types import Address, parse_address


class ModelStatus(IntEnum):
    """As the contract numbers them; only LIVE models are served."""

    NONE = 0
    DRAFT = 1
    LIVE = 2
    RETIRED = 3


@dataclass(frozen=True)
class ModelTerms:
    """What is registered about a model and, the price aside, never changes.

    `bundle` is None for a bare base. `royalties` are (parent model id, ppm of the model owner's share).
    """

    name: str
    base_id: int
    datanet_version_key: int
    bundle: Cid | None
    recipe_digest: bytes
    index_digest: bytes
    rates: Rates
    royalties: tuple[tuple[int, int], ...]
    min_span_tokens: int


@dataclass(frozen=True)
class BaseTerms:
    """A registered base model."""

    id: int
    fingerprint: bytes
    tokenizer_digest: bytes
    metadata: Cid


@dataclass(frozen=True)
class ChainModel:
    """A model as the registry has it."""

    id: int
    owner: Address
    status: ModelStatus
    terms: ModelTerms


class ModelContracts:
    """Reads from any node; what writes is sent by `transactor`'s account. Reverts come as ChainReverted."""

    def __init__(self, chain: Chain, transactor: Transactor | None = None) -> None:
        self._chain = chain
        self._transactor = transactor
        self._registry = chain.contract("ModelRegistry")

    def register_base(self, fingerprint: bytes, tokenizer_digest: bytes, metadata: Cid) -> int:
        """Register a base by the digest of its weights, once; return its id."""
        call = self._registry.functions.registerBase(fingerprint, tokenizer_digest, metadata.binary)
        return int(self._event(call, self._registry.events.BaseRegistered())["id"])

    def base_id(self, fingerprint: bytes) -> int:
        """The id of a base, 0 where it is not registered."""
        return int(self._chain.call(self._registry.functions.baseIdOf(fingerprint)))

    def base(self, base_id: int) -> BaseTerms:
        found = self._chain.call(self._registry.functions.getBase(base_id))
        _, _, fingerprint, tokenizer, metadata = found
        return BaseTerms(base_id, bytes(fingerprint), bytes(tokenizer), cid_from_binary(bytes(metadata)))

    def register_model(self, terms: ModelTerms, live: bool = True) -> int:
        """Register a model as our account's, live or as a draft; return its id."""
        call = self._registry.functions.registerModel(_encode(terms), live)
        return int(self._event(call, self._registry.events.ModelRegistered())["id"])

    def model_count(self) -> int:
        return int(self._chain.call(self._registry.functions.modelCount()))

    def model(self, model_id: int) -> ChainModel:
        """One model with its terms, price and status as they are now."""
        owner, status, terms, _ = self._chain.call(self._registry.functions.getModel(model_id))
        return ChainModel(model_id, parse_address(owner), ModelStatus(status), _decode(terms))

    def model_id(self, name: str, version: int) -> int:
        """The model of this name; version 0 means the latest. ChainReverted where there is none."""
        return int(self._chain.call(self._registry.functions.modelByName(name, version)))

    def price_at(self, model_id: int, time: int) -> Rates:
        """The price of requests made at `time` (unix seconds)."""
        _, *rates = self._chain.call(self._registry.functions.priceAt(model_id, time))
        return Rates(*rates)

    def licence(self, model_id: int) -> str:
        """The licence that the model's Datanet had when the model was registered; empty for a bare base."""
        return str(self._chain.call(self._registry.functions.licenceOf(model_id)))

    def set_price(self, model_id: int, rates: Rates) -> None:
        """Change the price of requests to come; the owner only."""
        prices = (rates.in_rate, rates.out_rate, rates.fixed)
        self._sender.send(self._registry.functions.setPrice(model_id, *prices))

    def set_status(self, model_id: int, status: ModelStatus) -> None:
        """Make a model live, a draft again, or retired; the owner only; retired is for ever."""
        self._sender.send(self._registry.functions.setStatus(model_id, int(status)))

    @property
    def _sender(self) -> Transactor:
        if self._transactor is None:
            raise IntegrityError("this connection to the registry has no account to send from")
        return self._transactor

    def _event(self, call: ContractFunction, event: Any) -> Any:
        entries = event.process_receipt(self._sender.send(call), errors=DISCARD)
        if len(entries) != 1:
            raise IntegrityError("transaction logged another number of events", event=event.event_name)
        return entries[0]["args"]


def _encode(terms: ModelTerms) -> tuple[object, ...]:
    return (
        terms.name,
        terms.base_id,
        terms.datanet_version_key,
        b"" if terms.bundle is None else terms.bundle.binary,
        terms.recipe_digest,
        terms.index_digest,
        terms.rates.in_rate,
        terms.rates.out_rate,
        terms.rates.fixed,
        [parent for parent, _ in terms.royalties],
        [ppm for _, ppm in terms.royalties],
        terms.min_span_tokens,
    )


def _decode(found: Any) -> ModelTerms:
    name, base, key, bundle, recipe, index, in_rate, out_rate, fixed, parents, royalties, span = found
    return ModelTerms(
        name,
        base,
        key,
        cid_from_binary(bytes(bundle)) if bundle else None,
        bytes(recipe),
        bytes(index),
        Rates(in_rate, out_rate, fixed),
        tuple(zip(parents, royalties, strict=True)),
        span,
    )
