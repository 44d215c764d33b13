"""A store of adapter bundles by content id, as the node's blob route would serve them.

More bundles can be registered than there are folders: their weights then repeat, but each has a manifest and
so a content id of its own, and the engine loads and keeps each as an adapter of its own.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from inference_worker.adapters.ingest import CONFIG_FILE, MANIFEST_FILE, WEIGHTS_FILE
from inference_worker.blobs.abort import Abort
from protocol.cid import cid_of_raw


class BundleAbsent(Exception):
    """No bundle or file of this id is registered."""


@dataclass(frozen=True)
class _Stored:
    """A file's bytes, or where they lie."""

    data: bytes | Path

    def read(self) -> bytes:
        return self.data.read_bytes() if isinstance(self.data, Path) else self.data


class Library:
    """Bundles registered from folders. Weights stay on disk and are read at every fetch."""

    def __init__(self, folders: list[Path]) -> None:
        self._folders = folders
        self._weights = [_cid(folder / WEIGHTS_FILE) for folder in folders]
        self._blobs: dict[str, _Stored] = {}
        self._bundles: list[str] = []

    def register(self, count: int) -> list[str]:
        """Content ids of bundles 0 to count-1; those registered before keep theirs."""
        for number in range(len(self._bundles), count):
            self._bundles.append(self._register(number))
        return self._bundles[:count]

    def register_one_more(self) -> str:
        """The content id of a bundle that nobody has asked for yet."""
        return self.register(len(self._bundles) + 1)[-1]

    def fetch(self, cid: str, limit: int, abort: Abort) -> bytes:
        """The bytes of a bundle's listing or of one of its files; the caller checks `limit`."""
        abort.check()
        if cid not in self._blobs:
            raise BundleAbsent(f"{cid} is not among {len(self._bundles)} bundles")
        return self._blobs[cid].read()

    def _register(self, number: int) -> str:
        place = number % len(self._folders)
        folder = self._folders[place]
        config = (folder / CONFIG_FILE).read_bytes()
        manifest = json.loads((folder / MANIFEST_FILE).read_text())
        renamed = json.dumps({**manifest, "number": number}).encode()
        weights = folder / WEIGHTS_FILE
        files = [
            _entry(CONFIG_FILE, self._keep(config), len(config)),
            _entry(MANIFEST_FILE, self._keep(renamed), len(renamed)),
            _entry(WEIGHTS_FILE, self._weights[place], weights.stat().st_size),
        ]
        self._blobs[self._weights[place]] = _Stored(weights)
        return self._keep(json.dumps({"files": files}).encode())

    def _keep(self, data: bytes) -> str:
        cid = cid_of_raw(data).text
        self._blobs[cid] = _Stored(data)
        return cid


def _cid(path: Path) -> str:
    return cid_of_raw(path.read_bytes()).text


def _entry(name: str, cid: str, size: int) -> dict[str, object]:
    return {"name": name, "cid": cid, "size": size}
