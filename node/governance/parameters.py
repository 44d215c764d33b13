"""The rules in force, as the chain has them: polled, so that a vote takes effect in a running node.

A version never changes once it exists, so each is read once. A receipt names the version that was in force
when its request was admitted, and is split by that version for ever.
"""

from __future__ import annotations

import threading
from typing import Any

from web3.contract import Contract

from node.chain.keccak import keccak
from node.log import get_logger
from protocol.attribution import Lane
from protocol.parameters import Parameters, Split
from protocol.tunables import TUNABLES
from protocol.types import Address, parse_address

log = get_logger("parameters")

LABOUR_PPM = keccak(b"labourPpm")
TREASURY = keccak(b"treasury")
LANE_KEYS = {
    Lane.GRADIENT: keccak(b"gradientWeight"),
    Lane.SPAN: keccak(b"spanWeight"),
    Lane.RETRIEVAL: keccak(b"retrievalWeight"),
}


class ParameterMirror:
    """ProtocolParameters by version. Safe to use from several threads."""

    def __init__(self, contract: Contract) -> None:
        self._contract = contract
        self._known: dict[int, tuple[Parameters, Address]] = {}
        self._tunables: dict[int, dict[str, int]] = {}
        self._version: int | None = None
        self._lock = threading.Lock()

    def refresh(self) -> int:
        """Ask the chain which version is in force and return it."""
        version: int = self._contract.functions.version().call()
        if version != self._version:
            log.info("parameters_changed", version=version, before=self._version)
        self._version = version
        return version

    def current(self) -> Parameters:
        """The version that the last refresh found; asks the chain on first use."""
        return self.at(self._version if self._version is not None else self.refresh())

    def at(self, version: int) -> Parameters:
        """The rules as they stood at one version."""
        return self._entry(version)[0]

    def treasury_at(self, version: int) -> Address:
        """The treasury account at one version."""
        return self._entry(version)[1]

    def tunables(self, version: int) -> dict[str, int]:
        """Every parameter that a vote can set, by name, as it stood at one version."""
        with self._lock:
            if version not in self._tunables:
                value_at = self._contract.functions.valueAt
                self._tunables[version] = {
                    one.name: int(value_at(keccak(one.name.encode()), version).call()) for one in TUNABLES
                }
            return dict(self._tunables[version])

    def _entry(self, version: int) -> tuple[Parameters, Address]:
        with self._lock:
            if version not in self._known:
                self._known[version] = self._read(version)
            return self._known[version]

    def _read(self, version: int) -> tuple[Parameters, Address]:
        functions = self._contract.functions
        parameters = Parameters(
            version=version,
            split=Split(*_parts(functions.splitAt(version).call())),
            labour_ppm=functions.valueAt(LABOUR_PPM, version).call(),
            lane_weights={lane: functions.valueAt(key, version).call() for lane, key in LANE_KEYS.items()},
        )
        treasury = functions.valueAt(TREASURY, version).call()
        return parameters, parse_address(f"0x{treasury:040x}")


def _parts(split: Any) -> tuple[int, ...]:
    # web3 gives a struct as a tuple or as a mapping, depending on how it was configured.
    return tuple(split.values()) if isinstance(split, dict) else tuple(split)
