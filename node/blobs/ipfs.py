"""Exchange of graphs with an IPFS daemon (Kubo), which is never believed and never chooses a CID.

A graph goes over as a CAR that was built here, and the daemon must report the root that we computed. What
comes back is a CAR too, and passes the same checks as a file from a stranger.
"""

from __future__ import annotations

import io
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import ipfshttpclient
from ipfshttpclient import exceptions

from node.blobs.car import MAX_CAR_BYTES
from node.blobs.store import BlobStore
from node.errors import IntegrityError, LimitExceeded, NotFound, Unavailable
from protocol.cid import Cid

DEFAULT_TIMEOUT_SECONDS = 30.0


class IpfsUnavailable(Unavailable):
    """The daemon did not answer, or not in time."""


class IpfsDisagrees(IntegrityError):
    """The daemon reports another root than the one that these bytes have."""


class IpfsDaemon:
    """One daemon by its RPC address: "/ip4/127.0.0.1/tcp/5001", "/unix/run/ipfs.sock". Blocking: use threads.

    `token` is sent as a bearer token, for daemons whose `API.Authorizations` limits what we may call.
    """

    def __init__(
        self, address: str, token: str | None = None, timeout: float = DEFAULT_TIMEOUT_SECONDS
    ) -> None:
        self._address = address
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._timeout = timeout
        self._local = threading.local()

    def version(self) -> str:
        """The daemon's own version text."""
        with self._call() as client:
            return str(client.version()["Version"])

    def has(self, cid: Cid) -> bool:
        """Whether the daemon itself holds the block; it asks no peers, so it answers at once."""
        with self._call() as client:
            try:
                client.block.stat(cid.text, offline=True)
            except exceptions.ErrorResponse:
                return False
        return True

    def send(self, blobs: BlobStore, root: Cid) -> None:
        """Give the daemon the graph under `root`, and have it pinned there.

        Raises IpfsDisagrees when it names another root than ours.
        """
        car = blobs.export_car(root)
        with self._call() as client:
            answer = client.dag.imprt(io.BytesIO(car))
        reported = _root_in(answer)
        if reported != root.text:
            raise IpfsDisagrees("daemon imported another root", ours=root.text, theirs=reported)

    def fetch(self, blobs: BlobStore, root: Cid, name: str = "", max_bytes: int = MAX_CAR_BYTES) -> None:
        """Bring the graph under `root` into `blobs`, from the daemon or from its peers.

        Raises NotFound when nobody offered it in time, LimitExceeded or BadCar.
        """
        if blobs.has(root):
            blobs.pin(root, name)
            return
        blobs.import_car(self._export(root, max_bytes), name, root)

    def _export(self, root: Cid, max_bytes: int) -> bytes:
        # A CID that nobody has makes the daemon search without end: only the timeout ends the call.
        received = bytearray()
        try:
            with self._call() as client, client.dag.export(root.text, stream=True) as stream:
                for part in stream:
                    received += part
                    if len(received) > max_bytes:
                        raise LimitExceeded("graph is larger than allowed", cid=root.text, limit=max_bytes)
        except IpfsUnavailable as error:
            if isinstance(error.__cause__, exceptions.TimeoutError | exceptions.ErrorResponse):
                raise NotFound("nobody offered this graph in time", cid=root.text) from error
            raise
        return bytes(received)

    @contextmanager
    def _call(self) -> Iterator[ipfshttpclient.Client]:
        # The client passes an argument that urllib3 3 will refuse; we pin urllib3 2 and silence that warning.
        # Set at each call: `catch_warnings` elsewhere may drop it, and here it is unsafe among threads.
        warnings.filterwarnings("ignore", message="The 'strict' parameter", category=FutureWarning)
        try:
            yield self._client()
        except (exceptions.Error, OSError) as error:
            reason = f"{type(error).__name__}: {error}"
            raise IpfsUnavailable("daemon did not do it", address=self._address, reason=reason) from error

    def _client(self) -> ipfshttpclient.Client:
        # A client per thread: its session is not safe to share. `Client`, and not `connect()`, whose version
        # check refuses every current daemon.
        if not hasattr(self._local, "client"):
            self._local.client = ipfshttpclient.Client(
                self._address, headers=self._headers, timeout=self._timeout, session=True
            )
        client: ipfshttpclient.Client = self._local.client
        return client


def _root_in(answer: Any) -> str:
    try:
        return str(answer["Root"]["Cid"]["/"])
    except (KeyError, TypeError):
        return f"no root in {str(answer)[:200]}"
