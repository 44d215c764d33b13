"""The worker-facing part of a node as a real HTTP server on a Unix socket, over a dictionary of bytes."""

import asyncio
import json
import threading
from collections.abc import Mapping
from pathlib import Path

from aiohttp import web

from protocol.cid import cid_of_raw
from protocol.hashing import to_hex
from protocol.manifest import Manifest, ManifestRow, Row, content_digest, encode_manifest, encode_row
from protocol.unixfs import CHUNK_BYTES, build

TOKEN = "worker-token"


class BlobServer:
    """Serves `/blobs` and `/rows`; both may be changed while it runs, to misbehave on purpose."""

    def __init__(self, socket: Path) -> None:
        self.socket = str(socket)
        self.blobs: dict[str, bytes] = {}
        self.rows: dict[str, list[dict[str, object]]] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> "BlobServer":
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(10)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._runner.cleanup(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def put(self, data: bytes) -> str:
        root = cid_of_raw(data) if len(data) <= CHUNK_BYTES else build(data).root
        self.blobs[root.text] = data
        return root.text

    def publish(
        self, rows: list[tuple[Row, str, int | None]], gated: Mapping[int, bytes] | None = None
    ) -> str:
        """A manifest of (row, owner, place of the original it copies); `gated` gives salts by place."""
        salts = gated or {}
        digests = [
            to_hex(content_digest(row, salts.get(place, b""))) for place, (row, _, _) in enumerate(rows)
        ]
        order = sorted(range(len(rows)), key=lambda place: digests[place])
        index = {place: number for number, place in enumerate(order)}
        entries = []
        for place in order:
            row, owner, copied = rows[place]
            cluster = index[place if copied is None else copied]
            cid = self.put(encode_row(row))
            entries.append(
                ManifestRow(
                    index[place], digests[place], owner, cluster, "CC0-1.0", "granted", place in salts, cid
                )
            )
        manifest_cid = self.put(encode_manifest(Manifest(1, 1, 0, tuple(entries), ())))
        self.rows[manifest_cid] = [
            {
                "index": index[place],
                "row": json.loads(encode_row(rows[place][0])),
                "salt": to_hex(salts[place]) if place in salts else "",
            }
            for place in order
        ]
        return manifest_cid

    async def _start(self) -> None:
        app = web.Application(client_max_size=1 << 30)
        app.add_routes(
            [
                web.get("/blobs/{cid}", self._get),
                web.put("/blobs", self._put),
                web.get("/rows/{cid}", self._rows),
            ]
        )
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        await web.UnixSite(self._runner, self.socket).start()

    def _check(self, request: web.Request) -> None:
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            raise web.HTTPUnauthorized

    async def _get(self, request: web.Request) -> web.Response:
        self._check(request)
        data = self.blobs.get(request.match_info["cid"])
        if data is None:
            raise web.HTTPNotFound
        return web.Response(body=data)

    async def _put(self, request: web.Request) -> web.Response:
        self._check(request)
        return web.json_response({"cid": self.put(await request.read())})

    async def _rows(self, request: web.Request) -> web.StreamResponse:
        self._check(request)
        response = web.StreamResponse()
        await response.prepare(request)
        for line in self.rows[request.match_info["cid"]]:
            await response.write(json.dumps(line).encode() + b"\n")
        await response.write_eof()
        return response
