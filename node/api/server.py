"""The node's two listeners as services of the daemon: the public one, and the worker's private socket."""

from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from node.api.app import ApiSettings, Parts, build_app, listen
from node.api.chain_link import ChainLink
from node.api.internal import build_internal_app, listen_internal
from node.api.ports import Blobs, Rows
from node.api.site import add_site
from node.api.site_data import SiteData
from node.api.validity_source import Desk
from node.log import get_logger

log = get_logger("api")


@dataclass(frozen=True)
class Site:
    """The pages: what they show, where their files lie, and the name at their top."""

    data: SiteData
    folder: Path
    name: str


class PublicListener:
    """The public application on a TCP port. `port` is the bound one while it runs."""

    name = "api"

    def __init__(
        self, parts: Parts, settings: ApiSettings, link: ChainLink, site: Site | None, host: str, port: int
    ):
        self._parts = parts
        self._settings = settings
        self._link = link
        self._site = site
        self._host = host
        self._wanted_port = port
        self._runner: web.AppRunner | None = None
        self.port = 0

    async def start(self) -> None:
        """Listens."""
        app = build_app(self._parts, self._settings)
        if self._site is not None:
            add_site(app, self._site.data, self._site.folder, self._site.name)
        self._runner, self.port = await listen(app, self._host, self._wanted_port)
        log.info("api_listens", url=f"http://{self._host}:{self.port}")

    async def stop(self) -> None:
        """Takes no new request, lets the open ones end, and closes."""
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()
        await self._link.close()


class InternalListener:
    """The worker's door on a Unix socket."""

    name = "internal_api"

    def __init__(self, blobs: Blobs, rows: Rows, token: str, desk: Desk | None, socket: Path) -> None:
        self._desk = desk
        self._blobs = blobs
        self._rows = rows
        self._token = token
        self._socket = socket
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        """Listens."""
        app = build_internal_app(self._blobs, self._rows, self._token, self._desk)
        self._runner = await listen_internal(app, self._socket)

    async def stop(self) -> None:
        """Closes."""
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()
