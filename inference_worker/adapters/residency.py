"""Which adapters stay in memory: least recently used under a byte budget, with leases and pins.

Torch-free and without a clock. A leased or pinned adapter is never evicted; at every moment the bytes of what
is held plus the free bytes are the budget. Identity is the bundle's content id, so new bytes are a new
adapter.
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


class AdapterHeld(WorkerError):
    """The adapter cannot be evicted while requests or a pin hold it."""

    code = "adapter_held"

    def __init__(self, cid: str, leases: int, pinned: bool) -> None:
        super().__init__(f"adapter {cid} is held by {leases} requests{' and a pin' if pinned else ''}")
        self.cid, self.leases, self.pinned = cid, leases, pinned


@dataclass
class Resident:
    """The account of one adapter: its bytes, the requests that hold it, and whether it is kept anyway."""

    nbytes: int
    leases: int = 0
    pinned: bool = False

    @property
    def held(self) -> bool:
        """Whether it must stay."""
        return self.leases > 0 or self.pinned


class Residency:
    """The book of resident adapters, least recently used first. Not thread-safe: its owner holds a lock."""

    def __init__(self, budget_bytes: int) -> None:
        self.budget, self.free = budget_bytes, budget_bytes
        self._residents: OrderedDict[str, Resident] = OrderedDict()
        # Dropped while requests held them: their bytes are in memory until the last of these ends.
        self._leaving: dict[str, Resident] = {}

    @property
    def used(self) -> int:
        """Bytes of everything in memory."""
        return self.budget - self.free

    def __contains__(self, cid: str) -> bool:
        return cid in self._residents

    def __len__(self) -> int:
        return len(self._residents)

    def accounts(self) -> dict[str, Resident]:
        """A copy of every account, least recently used first."""
        return {cid: Resident(r.nbytes, r.leases, r.pinned) for cid, r in self._residents.items()}

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
            self.drop(victim)
        self._residents[cid] = Resident(nbytes)
        self.free -= nbytes
        return victims

    def _victims(self, cid: str, nbytes: int) -> tuple[str, ...]:
        free = self.free
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
        """End one request's hold; of an adapter dropped meanwhile, the holds from before end first."""
        leaving = self._leaving.get(cid)
        resident = leaving or self._residents[cid]
        assert resident.leases > 0, f"release without lease of {cid}"
        resident.leases -= 1
        if leaving is not None and not leaving.leases:
            self.free += self._leaving.pop(cid).nbytes

    def pin(self, cid: str, pinned: bool = True) -> None:
        """Keep an adapter whatever its use."""
        self._residents[cid].pinned = pinned

    def evict(self, cid: str) -> bool:
        """Remove an adapter if nothing holds it; False if it is not here. Raises AdapterHeld."""
        resident = self._residents.get(cid)
        if resident is None:
            return False
        if resident.held:
            raise AdapterHeld(cid, resident.leases, resident.pinned)
        self.drop(cid)
        return True

    def drop(self, cid: str) -> None:
        """Forget an adapter at once, held or not; its bytes stay in the account while requests hold them."""
        resident = self._residents.pop(cid, None)
        if resident is None:
            return
        if not resident.leases:
            self.free += resident.nbytes
            return
        leaving = self._leaving.setdefault(cid, Resident(0))
        leaving.nbytes += resident.nbytes
        leaving.leases += resident.leases
