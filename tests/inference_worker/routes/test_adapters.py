"""The routes about adapters, over a real Unix socket with a tiny real model behind it."""

import asyncio
import json
import threading
from dataclasses import asdict

import pytest

from inference_worker.adapters.catalog import MAX_ENTRIES
from inference_worker.adapters.refusals import WrongBase
from inference_worker.adapters.status import AdapterRow
from inference_worker.blobs.node_blobs import cid_of
from inference_worker.errors import NodeUnreachable
from inference_worker.routes.adapters import AdapterSlow, lease
from tests.inference_worker.adapters.peft_folders import adapter_files, manifest

ABSENT = cid_of(b"nothing here")


async def call(worker, method, path):
    status, body = await worker.call(method, path)
    return status, json.loads(body)


async def row(worker, cid):
    _, listed = await call(worker, "GET", "/adapters")
    found = next(row for row in listed["adapters"] if row["cid"] == cid)
    # What is zero, false or empty is left out.
    return {**asdict(AdapterRow(cid, "registered")), **found}


async def eventually(condition):
    """Wait for a condition that another thread brings about."""
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - threads know no asyncio event
            await asyncio.sleep(0.01)


async def test_an_adapter_goes_through_every_tier(worker):
    """SPEC 4.109, 4.110"""
    cid, loader = worker.shelf.put_bundle(adapter_files()), worker.services.loader
    assert (await call(worker, "POST", f"/adapters/{cid}"))[0] == 200
    assert (await row(worker, cid))["state"] == "registered" and not worker.shelf.fetches
    assert (await call(worker, "PUT", f"/adapters/{cid}"))[0] == 200
    await eventually(lambda: cid in loader.disk)
    found = await row(worker, cid)
    assert (found["state"], found["pinned"], found["leases"]) == ("resident", True, 0)
    assert found["disk_bytes"] > found["host_bytes"] > 0
    status, refused = await call(worker, "DELETE", f"/adapters/{cid}/host")
    assert (status, refused["code"]) == (409, "adapter_held")
    assert (await call(worker, "DELETE", f"/adapters/{cid}"))[0] == 200
    assert (await call(worker, "DELETE", f"/adapters/{cid}/host"))[0] == 200
    assert (await row(worker, cid))["state"] == "cached"
    assert (await call(worker, "DELETE", f"/adapters/{cid}/host"))[0] == 404
    assert (await call(worker, "DELETE", f"/adapters/{cid}/disk"))[0] == 200
    assert (await row(worker, cid))["state"] == "registered"


async def test_pinned_adapters_are_loaded_beforehand(worker):
    """SPEC 4.9"""
    cid = worker.shelf.put_bundle(adapter_files())
    assert (await call(worker, "PUT", f"/adapters/{cid}"))[0] == 200
    fetched = len(worker.shelf.fetches)
    assert (await worker.generate(adapter_cid=cid))[0] == 200
    assert len(worker.shelf.fetches) == fetched
    assert (await row(worker, cid))["requests"] == 2
    assert (await call(worker, "PUT", f"/adapters/{ABSENT}"))[0] == 404


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("PUT", "/adapters/..%2Fx", 400),
        ("POST", "/adapters/x", 400),
        ("DELETE", "/adapters/x/host", 400),
        ("DELETE", f"/adapters/{ABSENT}/moon", 422),
        ("DELETE", f"/adapters/{ABSENT}/disk", 404),
        ("DELETE", f"/quarantine/{ABSENT}", 404),
        ("GET", "/adapters?state=lost", 422),
    ],
)
async def test_what_cannot_be_done_is_told(worker, method, path, status):
    """SPEC 4.24, 4.110"""
    assert (await call(worker, method, path))[0] == status


async def test_the_list_can_be_narrowed_and_its_bytes_add_up(worker):
    """SPEC 4.109"""
    cids = [worker.shelf.put_bundle(adapter_files(seed=seed)) for seed in range(3)]
    for cid in cids[:2]:
        await worker.generate(adapter_cid=cid, request_id=cid)
    await call(worker, "POST", f"/adapters/{cids[2]}")
    _, everything = await call(worker, "GET", "/adapters")
    _, resident = await call(worker, "GET", "/adapters?state=resident")
    assert [r["cid"] for r in resident["adapters"]] == cids[:2]
    assert [r["cid"] for r in everything["adapters"]] == cids
    used = everything["tiers"]["host"]["used_bytes"]
    assert used == everything["used_bytes"] == sum(r.get("host_bytes", 0) for r in everything["adapters"]) > 0


async def test_the_quarantine_is_listed_with_reasons_and_can_be_cleared(worker):
    """SPEC 4.110"""
    cid = worker.shelf.put_bundle({**adapter_files(), "manifest.json": manifest("0x00")})
    assert (await worker.generate(adapter_cid=cid))[0] == 422
    assert (await worker.generate(adapter_cid=ABSENT))[0] == 404
    _, listed = await call(worker, "GET", "/quarantine")
    assert [(r["cid"], r["code"]) for r in listed["refused"]] == [(cid, WrongBase.code)]
    assert "0x00" in listed["refused"][0]["reason"]
    assert [(r["cid"], r["code"]) for r in listed["failed"]] == [(ABSENT, "blob_missing")]
    for known in (cid, ABSENT):
        assert (await call(worker, "DELETE", f"/quarantine/{known}"))[0] == 200
    assert (await call(worker, "GET", "/quarantine"))[1] == {"v": 1, "refused": [], "failed": []}
    fetched = len(worker.shelf.fetches)
    assert (await worker.generate(adapter_cid=cid, request_id="again"))[0] == 422
    assert len(worker.shelf.fetches) > fetched


async def test_metrics_tell_hits_misses_and_bytes_of_each_tier(worker):
    """SPEC 4.81, 4.109"""
    cid = worker.shelf.put_bundle(adapter_files())
    for number in range(3):
        await worker.generate(adapter_cid=cid, request_id=f"r{number}")
    await eventually(lambda: worker.services.loader.host.residency.leases(cid) == 0)
    assert (await call(worker, "DELETE", f"/adapters/{cid}/host"))[0] == 200
    _, body = await worker.call("GET", "/metrics")
    lines = body.decode().splitlines()
    for expected in (
        'openledger_worker_adapter_lookups_total{outcome="hit",tier="host"} 2',
        'openledger_worker_adapter_lookups_total{outcome="miss",tier="host"} 1',
        'openledger_worker_adapter_lookups_total{outcome="miss",tier="disk"} 1',
        'openledger_worker_adapter_evictions_total{tier="host"} 1',
        "openledger_worker_adapters_registered 1",
        "openledger_worker_adapter_bytes 0",
    ):
        assert expected in lines, expected
    assert any('adapter_load_microseconds_total{tier="node"}' in line for line in lines)


async def test_a_node_that_fails_one_adapter_fails_its_requests_alone(worker, monkeypatch):
    """SPEC 4.107"""
    gate, fetch = threading.Event(), worker.shelf.fetch
    stuck, cut, good = (worker.shelf.put_bundle(adapter_files(seed=seed)) for seed in range(3))

    def misbehave(cid, max_bytes, abort):
        if cid == stuck:
            while not gate.wait(0.01):
                abort.check()
        if cid == cut:
            raise NodeUnreachable(cid, "ended 7 bytes early")
        return fetch(cid, max_bytes)

    monkeypatch.setattr(worker.shelf, "fetch", misbehave)
    waiting = [asyncio.create_task(worker.generate(adapter_cid=stuck, request_id=f"s{i}")) for i in range(20)]
    failed = await asyncio.gather(*(worker.generate(adapter_cid=cut, request_id=f"c{i}") for i in range(5)))
    assert {(status, reply["code"]) for status, reply in failed} == {(503, "node_unreachable")}
    served = await asyncio.gather(*(worker.generate(adapter_cid=good, request_id=f"g{i}") for i in range(5)))
    assert {status for status, _ in served} == {200} and not any(task.done() for task in waiting)
    gate.set()
    assert {status for status, _ in await asyncio.gather(*waiting)} == {200}


async def test_who_waits_too_long_is_told_to_come_back_and_finds_the_load_going_on(worker, monkeypatch):
    """SPEC 4.202, 4.107: one fetch serves the first try and the second, and nothing stays leased."""
    gate, fetch, loader = threading.Event(), worker.shelf.fetch, worker.services.loader
    cid = worker.shelf.put_bundle(adapter_files())
    monkeypatch.setattr(worker.shelf, "fetch", lambda *asked: gate.wait(60) and fetch(*asked))
    with pytest.raises(AdapterSlow):
        await lease(loader, cid, 0.05)
    assert cid in loader.status().loading
    again = asyncio.create_task(lease(loader, cid))
    await eventually(lambda: len(loader.status().requests) == 1 and loader.status().requests[cid] == 2)
    gate.set()
    assert (await again).cid == cid and worker.shelf.fetches.count(cid) == 1
    await eventually(lambda: loader.host.residency.leases(cid) == 1)


async def test_the_last_client_to_leave_ends_the_load(worker, monkeypatch):
    """SPEC 4.107"""
    begun, ended, loader = threading.Event(), threading.Event(), worker.services.loader
    cid = worker.shelf.put_bundle(adapter_files())

    def never(asked, max_bytes, abort):
        begun.set()
        try:
            while True:
                abort.check()
        finally:
            ended.set()

    monkeypatch.setattr(worker.shelf, "fetch", never)
    leaving = asyncio.create_task(lease(loader, cid))
    assert await asyncio.to_thread(begun.wait, 60)
    leaving.cancel()
    assert await asyncio.to_thread(ended.wait, 60)
    assert not loader.status().failed


async def test_a_client_that_leaves_while_its_adapter_loads_holds_nothing(worker, monkeypatch):
    """SPEC 4.25, 4.107"""
    gate, fetch, loader = threading.Event(), worker.shelf.fetch, worker.services.loader
    cid = worker.shelf.put_bundle(adapter_files())
    monkeypatch.setattr(worker.shelf, "fetch", lambda *asked: gate.wait(60) and fetch(*asked))
    leaving = asyncio.create_task(lease(loader, cid))
    staying = asyncio.create_task(lease(loader, cid))
    await eventually(lambda: cid in loader.status().loading)
    leaving.cancel()
    gate.set()
    assert (await staying).cid == cid
    with pytest.raises(asyncio.CancelledError):
        await leaving
    assert loader.host.residency.leases(cid) == 1


async def test_the_time_of_the_steps_is_booked_on_adapters_and_base(worker):
    """SPEC 4.201"""
    cids = [worker.shelf.put_bundle(adapter_files(seed=seed)) for seed in range(2)]
    for cid in (*cids, None, cids[0]):
        await worker.generate(adapter_cid=cid, request_id=f"r-{cid}", max_tokens=4)
    await eventually(lambda: all(worker.services.loader.usage.uses()[c].step_microseconds for c in cids))
    _, listed = await call(worker, "GET", "/adapters")
    uses = {one["cid"]: one["use"] for one in listed["adapters"]}
    assert [uses[cid]["answers"] for cid in cids] == [2, 1] and listed["base"]["answers"] == 1
    assert listed["base"]["step_microseconds"] > 0 == listed["base"]["load_cpu_microseconds"]
    assert all(uses[cid]["load_cpu_microseconds"] > 0 for cid in cids)
    account = listed["tiers"]["fetching"]
    assert account == {"used_bytes": 0, "budget_bytes": worker.services.loader.room.total}


async def test_the_list_of_all_that_may_be_registered_fits_its_reader(worker):
    """SPEC 4.109"""
    loader = worker.services.loader
    for number in range(MAX_ENTRIES):
        loader.register(cid_of(number.to_bytes(8, "big")))
    status, body = await worker.call("GET", "/adapters")
    # 16 MiB are what the node takes for one reply.
    assert status == 200 and len(body) < 1 << 24
    assert len(json.loads(body)["adapters"]) == MAX_ENTRIES
