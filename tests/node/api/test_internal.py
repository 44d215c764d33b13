"""The worker's socket: for token holders, by CID, and by nobody else on this machine."""

import asyncio
import json
import stat
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from node.api.internal import build_internal_app, listen_internal
from node.errors import NotFound, Refused
from node.training.reports import OF_BUNDLE, Provenance
from node.training.validity_cost import Cost, cost_of
from protocol.cid import cid_of_raw
from protocol.wire import JobStatus
from tests.protocol.validity_made import made_report

TOKEN = "worker-token"
MANIFEST = cid_of_raw(b"manifest").text
FORBIDDEN = cid_of_raw(b"no grant").text


class Bytes:
    """Blobs and rows in memory."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}

    def get(self, cid: str) -> bytes:
        if cid not in self.kept:
            raise NotFound("no such blob", cid=cid)
        return self.kept[cid]

    def put(self, data: bytes) -> str:
        cid = cid_of_raw(data).text
        self.kept[cid] = data
        return cid

    def rows(self, manifest_cid: str) -> Iterator[Mapping[str, object]]:
        if manifest_cid == FORBIDDEN:
            raise Refused("this node holds no grant")
        yield {"index": 0, "row": {"prompt": "é\n"}, "salt": "0x"}
        yield {"index": 1, "row": {"prompt": "b"}, "salt": "0x"}


class Desk:
    """One model with one report; remembers what was ordered."""

    def __init__(self) -> None:
        self.orders: list[tuple[str, int, int]] = []

    def show(self, model: str) -> Provenance:
        if model != "coder":
            raise NotFound("no such model", model=model)
        return Provenance(made_report(), cid_of_raw(b"report"), OF_BUNDLE)

    def cost(self, model: str, subsets: int, contributors: int) -> tuple[Cost, int | None]:
        return cost_of(self.show(model).report, subsets, contributors, 4), 60

    async def order(self, model: str, subsets: int, contributors: int) -> str:
        self.orders.append((model, subsets, contributors))
        return f"validity-{len(self.orders)}"

    def status(self, job_id: str) -> JobStatus:
        if job_id != "validity-1":
            raise NotFound("no such training job", job_id=job_id)
        return JobStatus(job_id, "running", "validity", 3, 9, None, 4.0, "retraining 1 of 3", None)


@pytest.fixture
def socket(tmp_path: Path) -> Path:
    return tmp_path / "node.sock"


@pytest_asyncio.fixture
async def worker(socket: Path) -> AsyncIterator[aiohttp.ClientSession]:
    """A client on the socket that holds the token."""
    memory = Bytes()
    await asyncio.to_thread(socket.touch)
    runner = await listen_internal(build_internal_app(memory, memory, TOKEN, Desk()), socket)
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with aiohttp.ClientSession(
        "http://node", connector=aiohttp.UnixConnector(str(socket)), headers=headers
    ) as session:
        yield session
    await runner.cleanup()


async def test_bytes_come_back_under_their_cid(worker: aiohttp.ClientSession) -> None:
    """SPEC 4.73"""
    async with worker.put("/blobs", data=b"x" * 3_000_000) as response:
        cid = (await response.json())["cid"]
    assert cid == cid_of_raw(b"x" * 3_000_000).text
    async with worker.get(f"/blobs/{cid}") as response:
        assert await response.read() == b"x" * 3_000_000


@pytest.mark.parametrize("cid", ["..%2f..%2fetc%2fpasswd", "bafk", "%00", "sha256:00", MANIFEST.upper()])
async def test_only_a_cid_is_a_name(worker: aiohttp.ClientSession, cid: str) -> None:
    """SPEC 4.73"""
    async with worker.get(f"/blobs/{cid}") as response:
        assert response.status in (400, 404)


async def test_an_absent_blob_is_missing(worker: aiohttp.ClientSession) -> None:
    """SPEC 4.73"""
    async with worker.get(f"/blobs/{MANIFEST}") as response:
        assert response.status == 404


async def test_rows_come_one_a_line(worker: aiohttp.ClientSession) -> None:
    """SPEC 4.74"""
    async with worker.get(f"/rows/{MANIFEST}") as response:
        lines = (await response.text()).splitlines()
    assert [json.loads(line)["index"] for line in lines] == [0, 1]


async def test_rows_without_a_grant_are_refused_before_the_first_byte(worker: aiohttp.ClientSession) -> None:
    """SPEC 4.74"""
    async with worker.get(f"/rows/{FORBIDDEN}") as response:
        assert response.status == 403


@pytest.mark.parametrize(
    "token", ["", "Bearer ", "Bearer wrong", TOKEN, f"bearer {TOKEN}", f"Bearer {TOKEN}é"]
)
async def test_without_the_token_there_is_nothing(worker: aiohttp.ClientSession, token: str) -> None:
    """SPEC 4.75"""
    for path in (f"/blobs/{MANIFEST}", f"/rows/{MANIFEST}", "/absent"):
        async with worker.get(path, headers={"Authorization": token}) as response:
            assert response.status == 401


async def test_the_socket_is_for_its_owner_and_replaces_a_dead_one(
    worker: aiohttp.ClientSession, socket: Path
) -> None:
    """SPEC 4.75"""
    mode = (await asyncio.to_thread(socket.stat)).st_mode
    assert (stat.S_ISSOCK(mode), stat.S_IMODE(mode)) == (True, 0o600)


async def test_a_report_is_shown_costed_ordered_and_followed(worker: aiohttp.ClientSession) -> None:
    """SPEC 5.233"""
    asked = {"model": "coder", "subsets": 16, "contributors": 3}
    async with worker.get("/validity/coder") as response:
        shown = await response.json()
    assert shown["source"] == OF_BUNDLE and "losses" not in shown["retrainings"][0]
    async with worker.post("/validity/cost", json=asked) as response:
        assert await response.json() == {"retrainings": 13, "row_passes": 280, "seconds": 60}
    async with worker.post("/validity/order", json=asked) as response:
        job_id = (await response.json())["job_id"]
    async with worker.get(f"/jobs/{job_id}") as response:
        assert (await response.json())["message"] == "retraining 1 of 3"


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/validity/order", {"model": "coder", "subsets": -1, "contributors": 0}, 400),
        ("/validity/order", {"model": "coder", "subsets": 4}, 400),
        ("/validity/order", {"model": "coder", "subsets": 4, "contributors": 4, "price": 0}, 400),
        ("/validity/cost", {"model": "other", "subsets": 4, "contributors": 4}, 404),
    ],
)
async def test_a_malformed_order_is_refused(
    worker: aiohttp.ClientSession, path: str, body: dict[str, object], status: int
) -> None:
    """SPEC 5.233"""
    async with worker.post(path, json=body) as response:
        assert response.status == status
