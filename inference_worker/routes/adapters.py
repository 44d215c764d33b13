"""The HTTP routes about adapters: list, register, pin, unpin, evict, and the quarantine.

Every content id is parsed before it is used; loading happens in the loader's threads.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import asdict
from functools import partial

from aiohttp import web

from inference_worker.adapters.loader import AdapterLoader
from inference_worker.adapters.packing import PackedAdapter
from inference_worker.adapters.status import AdapterRow, State, Tier
from inference_worker.adapters.usage import BASE, UNUSED
from inference_worker.errors import RequestInvalid, WorkerError
from protocol.cid import parse_cid

LOADER = web.AppKey("loader", AdapterLoader)
WAIT_SECONDS = 60.0
_TIERS: dict[str, Tier] = {"host": "host", "disk": "disk"}
_STATES: tuple[State, ...] = ("resident", "loading", "cached", "registered", "failed", "quarantined")
routes = web.RouteTableDef()


class AdapterSlow(WorkerError):
    """The adapter is not here yet; its load goes on, so that a later request may find it."""

    code = "adapter_loading"

    def __init__(self, cid: str, seconds: float) -> None:
        super().__init__(f"adapter {cid} is still loading after {seconds:g} seconds; ask again")
        self.cid, self.seconds = cid, seconds


class AdapterUnknown(WorkerError):
    """Nothing is known of this adapter where it was looked for."""

    code = "adapter_unknown"

    def __init__(self, cid: str, where: str) -> None:
        super().__init__(f"adapter {cid} is not {where}")
        self.cid, self.where = cid, where


async def lease(loader: AdapterLoader, cid: str, seconds: float = WAIT_SECONDS) -> PackedAdapter:
    """The adapter, to be released by the caller; raises AdapterSlow when it takes longer than `seconds`.

    Who is told to ask again finds the load going on, within the loader's own limit; who leaves does not wait.
    """
    loading = loader.request(cid)
    try:
        async with asyncio.timeout(seconds):
            # Shielded: the end of our patience is not the end of the load.
            return await asyncio.shield(asyncio.wrap_future(loading))
    except TimeoutError:
        loading.add_done_callback(partial(_release, loader))
        raise AdapterSlow(cid, seconds) from None
    except asyncio.CancelledError:
        # The last one to leave ends the load; where it has just ended, its lease must not outlive us.
        if not loading.cancel():
            loading.add_done_callback(partial(_release, loader))
        raise


def _release(loader: AdapterLoader, loading: Future[PackedAdapter]) -> None:
    if not loading.cancelled() and loading.exception() is None:
        loader.release(loading.result().cid)


@routes.get("/adapters")
async def adapters(request: web.Request) -> web.Response:
    """Every known adapter, or those in `?state=`, and the bytes of each tier."""
    wanted = request.query.get("state")
    if wanted is not None and wanted not in _STATES:
        raise RequestInvalid("state", wanted, ", ".join(_STATES))
    # Tens of thousands of rows take a second, in which no stream may stand still.
    text = await asyncio.to_thread(_listed, request.app[LOADER], wanted)
    return web.json_response(text=text)


def _listed(loader: AdapterLoader, wanted: str | None) -> str:
    status = loader.status()
    rows = [_row(row) for row in status.rows() if wanted in (None, row.state)]
    tiers = {
        "host": {"used_bytes": status.host_used, "budget_bytes": status.host_budget},
        "disk": {"used_bytes": status.disk_used, "budget_bytes": status.disk_quota},
        "fetching": {"used_bytes": status.fetch_used, "budget_bytes": status.fetch_budget},
    }
    base = asdict(status.uses.get(BASE, UNUSED))
    reply = {"v": 1, "used_bytes": status.host_used, "tiers": tiers, "base": base, "adapters": rows}
    return json.dumps(reply)


def _row(row: AdapterRow) -> dict[str, object]:
    # Without what is zero, false or empty: the list of all that may be registered stays readable.
    known = asdict(row)
    if row.use == UNUSED:
        del known["use"]
    return {name: value for name, value in known.items() if value}


@routes.post("/adapters/{cid}")
async def register(request: web.Request) -> web.Response:
    """Know of an adapter without loading it."""
    cid = _cid(request)
    request.app[LOADER].register(cid)
    return _done(cid)


@routes.put("/adapters/{cid}")
async def pin(request: web.Request) -> web.Response:
    """Load an adapter before anybody asks for it, and keep it."""
    loader, cid = request.app[LOADER], _cid(request)
    await lease(loader, cid)
    loader.pin(cid)
    loader.release(cid)
    return _done(cid)


@routes.delete("/adapters/{cid}")
async def unpin(request: web.Request) -> web.Response:
    """Let an adapter be evicted again."""
    cid = _cid(request)
    request.app[LOADER].unpin(cid)
    return _done(cid)


@routes.delete("/adapters/{cid}/{tier}")
async def evict(request: web.Request) -> web.Response:
    """Remove an adapter from one tier; 409 while something holds it there, 404 where it is not."""
    cid, name = _cid(request), request.match_info["tier"]
    if name not in _TIERS:
        raise RequestInvalid("tier", name, ", ".join(_TIERS))
    if not await asyncio.to_thread(request.app[LOADER].evict, cid, _TIERS[name]):
        raise AdapterUnknown(cid, f"in tier {name}")
    return _done(cid)


@routes.get("/quarantine")
async def quarantine(request: web.Request) -> web.Response:
    """Why which adapters are not served: refused ones for good, failed loads for a while."""
    status = request.app[LOADER].status()
    return web.json_response({"v": 1, "refused": _reasons(status.refused), "failed": _reasons(status.failed)})


@routes.delete("/quarantine/{cid}")
async def clear(request: web.Request) -> web.Response:
    """Try an adapter again as if it had never failed."""
    cid = _cid(request)
    if not request.app[LOADER].clear(cid):
        raise AdapterUnknown(cid, "in quarantine")
    return _done(cid)


def _cid(request: web.Request) -> str:
    return parse_cid(request.match_info["cid"]).text


def _done(cid: str) -> web.Response:
    return web.json_response({"v": 1, "cid": cid})


def _reasons(found: Mapping[str, tuple[str, str]]) -> list[dict[str, str]]:
    return [{"cid": cid, "code": code, "reason": reason} for cid, (code, reason) in found.items()]
