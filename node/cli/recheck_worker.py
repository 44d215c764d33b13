"""The worker that recomputes an attribution: one that is given, or one of its own for as long as it takes."""

import asyncio
import secrets
import tempfile
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

from node.api.server import InternalListener
from node.cli.public_data import FetchedBlobs, FetchedRows
from node.cli.worker_paths import make_token
from node.errors import NotFound, Unavailable
from node.serving.model import ServedModel
from node.serving.worker_client import WorkerClient
from node.serving.worker_process import WorkerPaths, WorkerProcess, worker_command
from protocol.wire import AttributeRequest, AttributeResult, RowsRequest, RowsResult

START_SECONDS = 180.0
POLL_SECONDS = 0.2


class OneWorker:
    """Satisfies `node.attribution.attributor.Asker` with one worker, whichever model it is asked about."""

    def __init__(self, client: WorkerClient) -> None:
        self._client = client

    async def attribute(self, model: ServedModel, request: AttributeRequest) -> AttributeResult:
        """Asks once."""
        return await self._client.attribute(request)

    async def recheck(self, request: RowsRequest) -> RowsResult:
        """Rows' signs computed anew."""
        return await self._client.recheck(request)


@asynccontextmanager
async def given_worker(socket: Path, token_file: Path) -> AsyncIterator[OneWorker]:
    """A worker that runs; its node has the public data, or fetches it."""
    async with WorkerClient(socket, token_file) as client:
        await client.health()
        yield OneWorker(client)


def own_worker(base: Path, blobs: FetchedBlobs) -> AbstractAsyncContextManager[OneWorker]:
    """A worker of this command alone, on sockets in a folder of its own. It ends with the block."""
    if not base.is_dir():
        raise NotFound("no base model is here; name its folder with --base", base=str(base))
    return _own_worker(base, blobs)


@asynccontextmanager
async def _own_worker(base: Path, blobs: FetchedBlobs) -> AsyncIterator[OneWorker]:
    with tempfile.TemporaryDirectory(prefix="openledger-") as folder:
        home = Path(folder)
        token_file = home / "token"
        make_token(token_file)
        token = token_file.read_text(encoding="ascii").strip()
        paths = WorkerPaths(home / "worker.sock", home / "node.sock", token_file, home / "data", base)
        paths.data_dir.mkdir()
        listener = InternalListener(blobs, FetchedRows(blobs), token, None, paths.node_socket)
        process = WorkerProcess(worker_command(paths), output=home / f"{secrets.token_hex(4)}.log")
        await listener.start()
        await process.start()
        try:
            async with WorkerClient(paths.socket, token_file) as client:
                await _answers(client, process)
                yield OneWorker(client)
        finally:
            await process.stop()
            await listener.stop()


async def _answers(client: WorkerClient, process: WorkerProcess) -> None:
    """Return once the worker serves. Raises Unavailable."""
    try:
        async with asyncio.timeout(START_SECONDS):
            while True:
                try:
                    await client.health()
                    return
                except Unavailable:
                    if process.restarts:
                        raise
                await asyncio.sleep(POLL_SECONDS)
    except TimeoutError as error:
        raise Unavailable("the worker did not start", seconds=START_SECONDS) from error
