"""What the registry said about a model when it was asked for: all that serving, pricing and paying need,
frozen.

A job keeps this snapshot, so that a price change or a transfer between a request and its receipt changes
nothing.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Protocol

from protocol.hashing import ZERO_WORD, to_hex
from protocol.pricing import Rates
from protocol.types import TOTAL_PPM

# The name under which a client leaves the choice of the model to the node.
AUTO = "auto"
NO_ROOT = to_hex(ZERO_WORD)


@dataclass(frozen=True)
class Source:
    """An adapter that answers are attributed through: its bundle, its index, its weight in ppm, and the root
    of the index (0x-hex).
    """

    adapter_cid: str
    index_cid: str
    ppm: int
    index_root: str = NO_ROOT


@dataclass(frozen=True)
class ServedModel:
    """One registered model.

    `adapter_cid` is its bundle or, for an ensemble, the members' record (None for a bare base), `index_cid`
    its attribution index, `manifest_cid` the dataset manifest, `tokens_cid` the open rows' token ids (None
    where this node lacks them); `members` are an ensemble's, else empty; `royalties` are (parent's owner, ppm
    of the model owner's part); rates are wei per 1000 tokens; `chosen` says why `auto` took it, empty where
    the client named it; `index_root` is the index's root, 0x-hex.
    """

    name: str
    model_id: int
    owner: str
    base_fingerprint: str
    adapter_cid: str | None
    index_cid: str | None
    manifest_cid: str | None
    tokens_cid: str | None
    datanet_version_key: int
    in_rate: int
    out_rate: int
    fixed_price: int
    royalties: tuple[tuple[str, int], ...]
    min_span_tokens: int
    chosen: str = ""
    members: tuple[Source, ...] = ()
    index_root: str = NO_ROOT

    @property
    def sources(self) -> tuple[Source, ...]:
        """The adapters whose weights make a whole; empty where no row is known to have trained anything."""
        if self.members or self.adapter_cid is None or self.index_cid is None:
            return self.members
        return (Source(self.adapter_cid, self.index_cid, TOTAL_PPM, self.index_root),)

    @property
    def rates(self) -> Rates:
        return Rates(self.in_rate, self.out_rate, self.fixed_price)

    def to_json(self) -> str:
        # Rates pass 2^53, so this is Python's own integer JSON: it is read back here and nowhere else.
        return json.dumps(asdict(self), separators=(",", ":"), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> ServedModel:
        fields = json.loads(text)
        royalties = tuple((str(owner), int(ppm)) for owner, ppm in fields["royalties"])
        members = tuple(Source(**member) for member in fields.get("members", ()))
        return cls(**{**fields, "royalties": royalties, "members": members})


class Catalog(Protocol):
    """Where served models are found."""

    def find(self, name: str) -> ServedModel:
        """The model by `name` or `name@version`; NotFound where it is not served here."""

    def choose(self, prompt: str) -> ServedModel:
        """The model that AUTO stands for, given what is asked; NotFound where there is none."""
