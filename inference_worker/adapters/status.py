"""What is known of every adapter and tier at one moment, for people, health and metrics. Torch-free, pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from inference_worker.adapters.residency import Resident
from inference_worker.adapters.usage import UNUSED, Use

Tier = Literal["host", "disk"]
State = Literal["resident", "loading", "cached", "registered", "failed", "quarantined"]


@dataclass(frozen=True)
class AdapterRow:
    """One adapter: its state, where it is, and what holds it there.

    `host_bytes` and `disk_bytes` are 0 where it is not; `code` and `reason` say why it is failed or
    quarantined.
    """

    cid: str
    state: State
    host_bytes: int = 0
    disk_bytes: int = 0
    leases: int = 0
    pinned: bool = False
    requests: int = 0
    code: str = ""
    reason: str = ""
    use: Use = UNUSED


@dataclass(frozen=True)
class TierStatus:
    """A snapshot. Sizes in bytes; the mappings are by content id, least recently used first."""

    host: Mapping[str, Resident]
    host_budget: int
    host_used: int
    disk: Mapping[str, int]
    disk_quota: int
    disk_used: int
    loading: frozenset[str]
    requests: Mapping[str, int]
    refused: Mapping[str, tuple[str, str]]
    failed: Mapping[str, tuple[str, str]]
    uses: Mapping[str, Use] = field(default_factory=dict)
    fetch_budget: int = 0
    fetch_used: int = 0

    def rows(self) -> tuple[AdapterRow, ...]:
        """Every adapter once: resident ones first, least recently used first, quarantined ones last."""
        known = [*self.host, *self.loading, *self.disk, *self.requests, *self.failed, *self.refused]
        return tuple(self._row(cid) for cid in dict.fromkeys(known))

    def serving(self) -> tuple[AdapterRow, ...]:
        """The rows of what is in memory and of what is refused for good."""
        return tuple(self._row(cid) for cid in dict.fromkeys([*self.host, *self.refused]))

    def gauges(self) -> dict[str, int]:
        """The sizes for metrics."""
        return {
            "adapter_bytes": self.host_used,
            "adapter_budget_bytes": self.host_budget,
            "adapter_disk_bytes": self.disk_used,
            "adapter_disk_quota_bytes": self.disk_quota,
            "adapter_fetch_bytes": self.fetch_used,
            "adapter_fetch_budget_bytes": self.fetch_budget,
            "adapters_resident": len(self.host),
            "adapters_on_disk": len(self.disk),
            "adapters_loading": len(self.loading),
            "adapters_registered": len(self.requests),
            "adapters_quarantined": len(self.refused),
        }

    def _row(self, cid: str) -> AdapterRow:
        resident = self.host.get(cid)
        code, reason = self.refused.get(cid) or self.failed.get(cid) or ("", "")
        return AdapterRow(
            cid=cid,
            state=self._state(cid),
            host_bytes=resident.nbytes if resident else 0,
            disk_bytes=self.disk.get(cid, 0),
            leases=resident.leases if resident else 0,
            pinned=resident.pinned if resident else False,
            requests=self.requests.get(cid, 0),
            code=code,
            reason=reason,
            use=self.uses.get(cid, UNUSED),
        )

    def _state(self, cid: str) -> State:
        if cid in self.refused:
            return "quarantined"
        if cid in self.loading:
            return "loading"
        if cid in self.host:
            return "resident"
        if cid in self.failed:
            return "failed"
        return "cached" if cid in self.disk else "registered"
