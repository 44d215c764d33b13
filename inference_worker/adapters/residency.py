"""Which adapters stay in memory: least recently used under a byte budget, with leases and pins.

Torch-free and without a clock. A leased or pinned adapter is never evicted; the sum of what is resident never
exceeds the budget. Identity is the bundle's content id, so new bytes are a new adapter.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from inference_worker.errors import WorkerError


class ResidencyFull(WorkerError):
    """Everything that could make room is in use."""

    code = "adapters_busy"

    def __init__(self, cid: str, needed: int, free: int) -> None:
        super().__init__(f"adapter {cid} needs {needed} bytes, {free} can be freed")
        self.cid, self.needed, self.free = cid, needed, free


@dataclass
class _Resident:
    nbytes: int
    leases: int = 0
    pinned: bool = False

    @property
    def held(self) -> bool:
        return self.leases > 0 or self.pinned


class Residency:
    """The book of resident adapters, least recently used first. Not thread-safe: its owner holds a lock."""

    def __init__(self, budget_bytes: int) -> None:
        self.budget = budget_bytes
        self._residents: OrderedDict[str, _Resident] = OrderedDict()

    @property
    def used(self) -> int:
        """Bytes of everything resident."""
        return sum(r.nbytes for r in self._residents.values())

    def __contains__(self, cid: str) -> bool:
        return cid in self._residents

    def leases(self, cid: str) -> int:
        """How many requests hold this adapter now."""
        return self._residents[cid].leases

    def order(self) -> tuple[str, ...]:
        """Content ids, least recently used first."""
        return tuple(self._residents)

    def admit(self, cid: str, nbytes: int) -> tuple[str, ...]:
        """Make room for an adapter and enter it; returns what was evicted for it.

        Raises ResidencyFull, with nothing evicted, when held adapters leave too little room.
        """
        if cid in self._residents:
            return ()
        victims = self._victims(cid, nbytes)
        for victim in victims:
            del self._residents[victim]
        self._residents[cid] = _Resident(nbytes)
        return victims

    def _victims(self, cid: str, nbytes: int) -> tuple[str, ...]:
        free = self.budget - self.used
        victims: list[str] = []
        for candidate, resident in self._residents.items():
            if free >= nbytes:
                break
            if not resident.held:
                victims.append(candidate)
                free += resident.nbytes
        if free < nbytes:
            raise ResidencyFull(cid, nbytes, free)
        return tuple(victims)

    def lease(self, cid: str) -> None:
        """Hold an adapter for one request; makes it the most recently used."""
        self._residents[cid].leases += 1
        self._residents.move_to_end(cid)

    def release(self, cid: str) -> None:
        """End one request's hold. The adapter may have been dropped while held (see `drop`)."""
        resident = self._residents.get(cid)
        if resident is not None:
            assert resident.leases > 0, f"release without lease of {cid}"
            resident.leases -= 1

    def pin(self, cid: str, pinned: bool = True) -> None:
        """Keep an adapter whatever its use."""
        self._residents[cid].pinned = pinned

    def drop(self, cid: str) -> None:
        """Forget an adapter at once, held or not; for quarantine."""
        self._residents.pop(cid, None)
