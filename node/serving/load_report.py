"""What a worker's load looks like to its operator: who is where, what tokens cost, what nobody uses. Pure.

Cost is processor time that was measured, of steps and loads, by the tokens that it served; nothing in it is
assumed. What a second is worth is the operator's to say.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from node.serving.worker_adapters import UNUSED, AdapterLine, AdapterUse, Residency, Sample, TierLine

# A deployed model of which the worker has not heard since it started.
ABSENT = "not asked for"
NOT_DEPLOYED = ("quarantined", "failed")


@dataclass(frozen=True)
class Deployed:
    """A model that the node offers, and the content id of its adapter's bundle."""

    name: str
    adapter_cid: str


@dataclass(frozen=True)
class Cost:
    """What tokens of prompts and answers took: microseconds of the processor, and bytes brought to memory."""

    tokens: int
    step_microseconds: int
    load_microseconds: int
    moved_bytes: int

    @property
    def seconds(self) -> float | None:
        """Processor seconds for 1,000 tokens; None before the first."""
        if not self.tokens:
            return None
        return (self.step_microseconds + self.load_microseconds) / 1e3 / self.tokens

    @property
    def moved(self) -> int | None:
        """Bytes brought to memory for 1,000 tokens; None before the first."""
        return 1000 * self.moved_bytes // self.tokens if self.tokens else None

    def price(self, hour: float) -> float | None:
        """1,000 tokens at so much for an hour of the processor."""
        return None if self.seconds is None else hour * self.seconds / 3600


@dataclass(frozen=True)
class TierLoad:
    """A tier's bytes, and how often an adapter that was looked for in it was there."""

    account: TierLine
    hits: int
    misses: int

    @property
    def hit_ppm(self) -> int | None:
        """Parts per million; None where nothing was looked for."""
        looked = self.hits + self.misses
        return 1_000_000 * self.hits // looked if looked else None


@dataclass(frozen=True)
class LoadRow:
    """One adapter with the names under which it is deployed; `unused` if it is so and answered nothing."""

    names: tuple[str, ...]
    line: AdapterLine
    cost: Cost
    unused: bool


@dataclass(frozen=True)
class LoadReport:
    """One moment; counts are since `since` (unix seconds). `rows` have the costliest in all first."""

    since: int
    running: int
    waiting: int
    tiers: tuple[TierLoad, ...]
    base: Cost
    rows: tuple[LoadRow, ...]

    @property
    def unused(self) -> tuple[LoadRow, ...]:
        """Deployed, and nobody uses them."""
        return tuple(row for row in self.rows if row.unused)


def load_report(
    residency: Residency, samples: Sequence[Sample], deployed: Sequence[Deployed] | None
) -> LoadReport:
    """The report of what a worker told. Where no node says what is `deployed`, all is that is not refused."""
    names: dict[str, list[str]] = {}
    for model in deployed or ():
        names.setdefault(model.adapter_cid, []).append(model.name)
    known = {line.cid for line in residency.adapters}
    lines = [*residency.adapters, *(_absent(cid) for cid in names if cid not in known)]
    rows = [_row(line, names, deployed is not None) for line in lines]
    return LoadReport(
        since=_gauge(samples, "start_time_seconds"),
        running=_gauge(samples, "running"),
        waiting=_gauge(samples, "waiting"),
        tiers=tuple(_tier(account, samples) for account in residency.tiers),
        base=cost_of(residency.base),
        rows=tuple(sorted(rows, key=_costliest_first)),
    )


def cost_of(use: AdapterUse) -> Cost:
    """The measured part of a use."""
    tokens = use.prompt_tokens + use.output_tokens
    return Cost(tokens, use.step_microseconds, use.load_cpu_microseconds, use.moved_bytes)


def _row(line: AdapterLine, names: dict[str, list[str]], is_known: bool) -> LoadRow:
    offered = line.cid in names if is_known else line.state not in NOT_DEPLOYED
    return LoadRow(tuple(names.get(line.cid, ())), line, cost_of(line.use), offered and not line.use.answers)


def _costliest_first(row: LoadRow) -> tuple[int, str]:
    return -(row.cost.step_microseconds + row.cost.load_microseconds), row.line.cid


def _absent(cid: str) -> AdapterLine:
    return AdapterLine(cid, ABSENT, 0, 0, 0, False, 0, "", "", UNUSED)


def _tier(account: TierLine, samples: Sequence[Sample]) -> TierLoad:
    found = {
        dict(one.labels)["outcome"]: int(one.value)
        for one in samples
        if one.name == "adapter_lookups_total" and dict(one.labels).get("tier") == account.tier
    }
    return TierLoad(account, found.get("hit", 0), found.get("miss", 0))


def _gauge(samples: Sequence[Sample], name: str) -> int:
    return next((int(one.value) for one in samples if one.name == name), 0)
