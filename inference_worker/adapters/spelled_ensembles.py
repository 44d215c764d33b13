"""Ensembles that requests spell out member by member, under the content ids that their bytes have.

Torch-free. With them a worker finds an ensemble that no node has stored, in the way of any other adapter: as
bytes under a content id. Bounded; the one given longest ago is forgotten, and then asked of the node.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable

from inference_worker.blobs.abort import Abort
from protocol.ensemble import Ensemble, encode_ensemble, ensemble_cid

MAX_ENTRIES = 4096
Fetch = Callable[[str, int, Abort], bytes]


class SpelledEnsembles:
    """Safe to use from several threads."""

    def __init__(self, fetch: Fetch, max_entries: int = MAX_ENTRIES) -> None:
        self._fetch, self._max = fetch, max_entries
        self._given: OrderedDict[str, bytes] = OrderedDict()
        self._lock = threading.Lock()

    def give(self, ensemble: Ensemble) -> str:
        """Know an ensemble; returns its content id."""
        cid = ensemble_cid(ensemble)
        with self._lock:
            self._given[cid] = encode_ensemble(ensemble)
            self._given.move_to_end(cid)
            if len(self._given) > self._max:
                self._given.popitem(last=False)
        return cid

    def fetch(self, cid: str, max_bytes: int, abort: Abort) -> bytes:
        """The bytes of a given ensemble; anything else from where everything comes from."""
        with self._lock:
            given = self._given.get(cid)
        return self._fetch(cid, max_bytes, abort) if given is None else given
