"""What the HTTP layer asks of the rest of the node: one port for each kind of question, and the values that
cross it.

The types are structural: the pipeline and the stores satisfy them without importing this module, and tests
of the HTTP layer can drive it with any object of the same shape.
"""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from node.pipeline import Admission, InferenceRequest
from node.receipts.log import RetrievedRow
from node.serving.live import Finished, Token
from node.training.reports import Provenance
from protocol.attribution import AttributionReport
from protocol.receipt import Receipt
from protocol.spans import Match


class Pipeline(Protocol):
    """The main flow, as the HTTP layer drives it."""

    async def admit(self, request: InferenceRequest) -> Admission:
        """Raises an error of `node.errors` if the request will not be served; then nothing is charged."""

    def stream(self, admission: Admission) -> AsyncIterator[Token | Finished]:
        """The answer, token by token, ending with one `Finished`. Closing it early ends the generation."""


@dataclass(frozen=True)
class ModelCard:
    """A served model: `parent` its base's name, `root` its bundle's CID, rates in wei per 1000 tokens, and
    the newest report of how far its attribution can be believed, where there is one.

    `model_version` counts the registrations of its name, `version` those of its Datanet.
    """

    name: str
    model_version: int
    created: int
    owner: str
    parent: str | None
    root: str
    datanet: int
    version: int
    in_rate: int
    out_rate: int
    fixed_price: int
    validity: Provenance | None = None


class Models(Protocol):
    """The models that this node serves."""

    def served(self) -> tuple[ModelCard, ...]:
        """In the order of registration."""


class Blobs(Protocol):
    """The node's own blobs, as its worker reads and writes them."""

    def get(self, cid: str) -> bytes:
        """The bytes, re-hashed. Raises NotFound."""

    def put(self, data: bytes) -> str:
        """Stores and returns the CID's text."""


class Rows(Protocol):
    """The plaintext rows of a version, for training and indexing."""

    def rows(self, manifest_cid: str) -> Iterator[Mapping[str, object]]:
        """`{index, row, salt}` in row order. Raises NotFound, or Refused where this node holds no grant."""


@dataclass(frozen=True)
class RowView:
    """A datapoint as it may be shown. The texts of a gated row are empty."""

    index: int
    owner: str
    prompt: str
    completion: str
    gated: bool


@dataclass(frozen=True)
class Part:
    """A part of a price, in wei, and whom or what it is for."""

    name: str
    amount: int


@dataclass(frozen=True)
class Progress:
    """How far an answer without a receipt has come: "generating", "attributing" or "given_up", and why it is
    no farther. Seconds count from the first time that a worker was asked for its sources.
    """

    stage: str
    reason: str = ""
    seconds: int = 0
    promised: int = 0
    overdue: bool = False


@dataclass(frozen=True)
class AnswerRecord:
    """Everything this node knows of one answer. Before attribution is done `receipt` and `report` are None.

    `retrieved` are the rows that stood in the prompt, `ablations` what was measured without some of them.
    `roles` and `earners` each add up to the price; `epoch_state` says how far the money has come: "owed",
    "claimed", "stated", "committed", then "final".
    """

    request_id: bytes
    model: str
    requested_at: int
    finish_reason: str
    prompt: str
    token_texts: tuple[str, ...]
    spans: tuple[Match, ...]
    rows: tuple[RowView, ...]
    receipt: Receipt | None
    signature: bytes | None
    report: AttributionReport | None
    roles: tuple[Part, ...]
    earners: tuple[Part, ...]
    epoch: int | None
    epoch_state: str
    progress: Progress = Progress("generating")
    retrieved: tuple[RetrievedRow, ...] = ()
    ablations: Sequence[Any] = ()


@dataclass(frozen=True)
class Check:
    """One thing that was recomputed, and what came of it."""

    name: str
    holds: bool
    detail: str


class Answers(Protocol):
    """What was answered, and how it was attributed and paid."""

    def find(self, request_id: bytes) -> AnswerRecord | None:
        """The answer, or None where this node never admitted such a request."""

    def verify(self, request_id: bytes) -> tuple[Check, ...]:
        """Every check of the receipt that can be made here. Raises NotFound where there is no receipt yet."""

    def may_read(self, request_id: bytes, api_key: str | None) -> bool:
        """Whether the caller may see the texts: they are published, or the key's channel paid for them."""


@dataclass(frozen=True)
class Component:
    """One part of the daemon, and whether it can do its work now."""

    name: str
    ready: bool
    detail: str


class Health(Protocol):
    """The daemon's view of itself."""

    def components(self) -> tuple[Component, ...]:
        """Without blocking: what was last seen of each part."""

    def stages(self) -> Mapping[str, Mapping[str, int | str]]:
        """The nine stages' own numbers, by stage name; amounts of money as decimal text."""


class Chain(Protocol):
    """The chain's JSON-RPC, for the wallet pages."""

    async def call(self, method: str, parameters: list[object]) -> Mapping[str, object]:
        """The `result` or `error` member as the chain gave it. Raises Unavailable."""


@dataclass(frozen=True)
class Network:
    """What a wallet needs to know: the chain, the deployed contracts by name, and their ABIs."""

    chain_id: int
    chain_name: str
    public_rpc_url: str
    contracts: Mapping[str, str]
    abis: Mapping[str, Sequence[Mapping[str, object]]]
