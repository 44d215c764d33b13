"""What the contracts of this stage say about Datanets, contributions and versions."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from protocol.cid import Cid
from protocol.types import Address


class ContributionStatus(IntEnum):
    """As the contract numbers them."""

    SUBMITTED = 1
    DECIDED = 2
    APPEALED = 3
    SETTLED = 4
    WITHDRAWN = 5


@dataclass(frozen=True)
class DatanetTerms:
    """A Datanet as registered. `kind` names its rules, e.g. "icd-10-cm"; `versions` is how many there are."""

    id: int
    owner: Address
    name: str
    kind: str
    gated: bool
    licence: str
    metadata: Cid
    versions: int


@dataclass(frozen=True)
class ChainContribution:
    """A contribution as the ledger has it; `curator` and `reasons` are None until it is decided.

    `deadline` (unix seconds) ends what the status allows: an offer's wait, a decision's or appeal's window.
    """

    id: int
    datanet: int
    contributor: Address
    row_count: int
    batch_root: bytes
    batch: Cid
    curator: Address | None
    reasons: Cid | None
    status: ContributionStatus
    gated: bool
    deadline: int


@dataclass(frozen=True)
class ChainVersion:
    """A published version as the registry has it."""

    datanet: int
    version: int
    parent: int
    row_count: int
    content_root: bytes
    rows_root: bytes
    manifest: Cid
    curator: Address
