"""An operator's view of one worker: its adapters, tiers, quarantine and counters, typed and bounded."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from node.serving.worker_client import WorkerClient
from protocol.cid import parse_cid
from protocol.errors import CidError
from protocol.fields import Fields
from protocol.types import MAX_UINT32

STATES = ("resident", "loading", "cached", "registered", "failed", "quarantined")
TIERS = ("host", "disk")
ACCOUNTS = (*TIERS, "fetching")
MAX_ADAPTERS = 131_072
MAX_COUNT = 2**53 - 1
MAX_REASON_CHARS = 8192
CODE = r"[a-z0-9_.-]{0,64}"
SAMPLE = re.compile(r'([a-z_]+)(?:\{((?:[a-z_]+="[^"]*",?)*)\})? (-?[0-9.e+-]+)')
LABEL = re.compile(r'([a-z_]+)="([^"]*)"')
PREFIX = "openledger_worker_"


@dataclass(frozen=True)
class AdapterUse:
    """Sums since the worker started; times in microseconds, `last_used` in unix seconds, 0 for never.

    `step_microseconds` and `load_cpu_microseconds` are processor time, divided among whom it served.
    """

    last_used: int
    answers: int
    prompt_tokens: int
    output_tokens: int
    answer_microseconds: int
    loads: int
    moved_bytes: int
    load_microseconds: int
    step_microseconds: int
    load_cpu_microseconds: int


UNUSED = AdapterUse(*(0 for _ in AdapterUse.__dataclass_fields__))


@dataclass(frozen=True)
class AdapterLine:
    """One adapter. Sizes in bytes, 0 where it is not; `code` and `reason` say why it is not served."""

    cid: str
    state: str
    host_bytes: int
    disk_bytes: int
    leases: int
    pinned: bool
    requests: int
    code: str
    reason: str
    use: AdapterUse


@dataclass(frozen=True)
class TierLine:
    """One of ACCOUNTS in bytes."""

    tier: str
    used_bytes: int
    budget_bytes: int


@dataclass(frozen=True)
class Residency:
    """Every known adapter, the tiers that hold them, and the use of the bare base."""

    tiers: tuple[TierLine, ...]
    base: AdapterUse
    adapters: tuple[AdapterLine, ...]


@dataclass(frozen=True)
class QuarantineLine:
    """An adapter that is not served: "refused" for its bytes, or "failed" for a while."""

    cid: str
    kind: str
    code: str
    reason: str


@dataclass(frozen=True)
class Sample:
    """One counter or gauge; `name` without the worker's prefix."""

    name: str
    labels: tuple[tuple[str, str], ...]
    value: str


class WorkerAdapters:
    """The adapter routes of one worker. Raises errors of `node.errors` only."""

    def __init__(self, client: WorkerClient) -> None:
        self._client = client

    async def list(self, state: str | None = None) -> Residency:
        """All adapters, or those in one of STATES; the tiers in any case."""
        query = "" if state is None else f"?state={state}"
        return await self._client.ask(_residency, "GET", f"/adapters{query}")

    async def register(self, cid: str) -> str:
        """Make an adapter known without loading it."""
        return await self._done("POST", f"/adapters/{cid}")

    async def pin(self, cid: str) -> str:
        """Load an adapter and keep it."""
        return await self._done("PUT", f"/adapters/{cid}")

    async def unpin(self, cid: str) -> str:
        """Let it be evicted again."""
        return await self._done("DELETE", f"/adapters/{cid}")

    async def evict(self, cid: str, tier: str) -> str:
        """Remove it from one of TIERS. Raises Conflict while something holds it, NotFound where it is not."""
        return await self._done("DELETE", f"/adapters/{cid}/{tier}")

    async def quarantine(self) -> tuple[QuarantineLine, ...]:
        """What is not served, and why."""
        return await self._client.ask(_quarantine, "GET", "/quarantine")

    async def clear(self, cid: str) -> str:
        """Let a quarantined adapter be tried again. Raises NotFound."""
        return await self._done("DELETE", f"/quarantine/{cid}")

    async def metrics(self) -> tuple[Sample, ...]:
        """Every counter and gauge."""
        return samples(await self._client.text("/metrics"))

    async def _done(self, method: str, path: str) -> str:
        return await self._client.ask(_cid_of_reply, method, path)


def samples(text: str) -> tuple[Sample, ...]:
    """The samples of a Prometheus text; comments and lines of another shape are passed over."""
    found = [SAMPLE.fullmatch(line) for line in text.splitlines()]
    return tuple(
        Sample(one[1].removeprefix(PREFIX), tuple(LABEL.findall(one[2] or "")), one[3])
        for one in found
        if one is not None
    )


def _residency(value: object) -> Residency:
    fields = Fields(value, "adapters")
    fields.integer("v", 1, 1)
    fields.integer("used_bytes", 0, MAX_COUNT)
    tiers = fields.child("tiers")
    lines = tuple(_tier(tiers.child(name), name) for name in ACCOUNTS)
    base = _use(fields.child("base"))
    return Residency(lines, base, tuple(_adapter(one) for one in fields.objects("adapters", MAX_ADAPTERS)))


def _tier(fields: Fields, name: str) -> TierLine:
    return TierLine(name, _count(fields)("used_bytes"), _count(fields)("budget_bytes"))


def _adapter(fields: Fields) -> AdapterLine:
    # What is zero, false or empty is left out.
    def count(name: str, most: int = MAX_COUNT) -> int:
        return 0 if fields.absent(name) else fields.integer(name, 0, most)

    return AdapterLine(
        cid=_cid(fields),
        state=fields.choice("state", STATES),
        host_bytes=count("host_bytes"),
        disk_bytes=count("disk_bytes"),
        leases=count("leases", MAX_UINT32),
        pinned=not fields.absent("pinned") and fields.boolean("pinned"),
        requests=count("requests"),
        code="" if fields.absent("code") else fields.text("code", 64, CODE),
        reason="" if fields.absent("reason") else fields.text("reason", MAX_REASON_CHARS),
        use=UNUSED if fields.absent("use") else _use(fields.child("use")),
    )


def _use(fields: Fields) -> AdapterUse:
    count = _count(fields)
    return AdapterUse(**{name: count(name) for name in AdapterUse.__dataclass_fields__})


def _count(fields: Fields) -> Callable[[str], int]:
    return lambda name: fields.integer(name, 0, MAX_COUNT)


def _quarantine(value: object) -> tuple[QuarantineLine, ...]:
    fields = Fields(value, "quarantine")
    fields.integer("v", 1, 1)
    return tuple(
        QuarantineLine(_cid(one), kind, one.text("code", 64, CODE), one.text("reason", MAX_REASON_CHARS))
        for kind in ("refused", "failed")
        for one in fields.objects(kind, MAX_ADAPTERS)
    )


def _cid_of_reply(value: object) -> str:
    fields = Fields(value, "reply")
    fields.integer("v", 1, 1)
    return _cid(fields)


def _cid(fields: Fields) -> str:
    try:
        return parse_cid(fields.text("cid", 59)).text
    except CidError as error:
        raise fields.wrong("cid", str(error)) from error
