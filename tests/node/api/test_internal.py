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
from protocol.cid import cid_of_raw

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


@pytest.fixture
def socket(tmp_path: Path) -> Path:
    return tmp_path / "node.sock"


@pytest_asyncio.fixture
async def worker(socket: Path) -> AsyncIterator[aiohttp.ClientSession]:
    """A client on the socket that holds the token."""
    memory = Bytes()
    await asyncio.to_thread(socket.touch)
    runner = await listen_internal(build_internal_app(memory, memory, TOKEN), socket)
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
