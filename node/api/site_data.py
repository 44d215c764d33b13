"""What the pages show, as plain values. Amounts in wei, shares in ppm, times in unix seconds.

`SiteData` is a set of questions; who answers them is decided where the daemon is put together.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """One number of a stage, as text; `money` says that it is an amount of OPEN."""

    label: str
    value: str
    money: bool = False


@dataclass(frozen=True)
class Stage:
    """One of the nine stages, in the order of the data, with its live numbers."""

    number: int
    name: str
    turns: str
    into: str
    figures: tuple[Figure, ...]


@dataclass(frozen=True)
class AnswerSummary:
    """One line in a list of answers. `shares` are (contributor, ppm), largest first."""

    request_id: str
    model: str
    requested_at: int
    price: int
    state: str
    shares: tuple[tuple[str, int], ...]
    unattributed_ppm: int


@dataclass(frozen=True)
class Overview:
    """The front page. `paid` counts answers with a receipt, `turnover` their prices in wei."""

    stages: tuple[Stage, ...]
    recent: tuple[AnswerSummary, ...]
    answers: int
    turnover: int
    contributors: int
    head: int
    chain_time: int


@dataclass(frozen=True)
class Earner:
    """One account: `accrued` by receipts, `final` in the latest final root, `claimed` taken out."""

    account: str
    label: str
    accrued: int
    final: int
    claimed: int
    answers: int


@dataclass(frozen=True)
class EarnedLine:
    """What one answer earned one account; `epoch` is None while the voucher is not claimed."""

    request_id: str
    model: str
    requested_at: int
    amount: int
    epoch: int | None
    state: str


@dataclass(frozen=True)
class EarnerDetail:
    """One account's page."""

    earner: Earner
    lines: tuple[EarnedLine, ...]


@dataclass(frozen=True)
class Proposal:
    """One proposal: votes in wei of voting power, decoded calls; votes count as held at `snapshot`."""

    proposal_id: str
    title: str
    body: str
    state: str
    votes_for: int
    votes_against: int
    votes_abstain: int
    quorum: int
    snapshot: int
    deadline: int
    executable_at: int
    actions: tuple[str, ...]


@dataclass(frozen=True)
class Parameter:
    """One value that governance has set."""

    name: str
    value: str
    explanation: str


@dataclass(frozen=True)
class Governance:
    """The governance page. `chain_time` is the clock that counts, not the browser's."""

    proposals: tuple[Proposal, ...]
    parameters: tuple[Parameter, ...]
    parameters_version: int
    chain_time: int


@dataclass(frozen=True)
class StakedNode:
    """A node one can stake on. `served` counts its answers, None where only that node itself knows."""

    node: str
    label: str
    total_stake: int
    served: int | None


@dataclass(frozen=True)
class Staking:
    """The stake page."""

    nodes: tuple[StakedNode, ...]
    unbonding_seconds: int


@dataclass(frozen=True)
class SiteData:
    """The questions the pages ask. Each may read disk or chain and is called in a thread.

    `labels` names accounts that stand for a role, by address.
    """

    labels: Mapping[str, str]
    overview: Callable[[], Overview]
    recent: Callable[[int], tuple[AnswerSummary, ...]]
    earners: Callable[[], tuple[Earner, ...]]
    earner: Callable[[str], EarnerDetail | None]
    governance: Callable[[], Governance]
    staking: Callable[[], Staking]
