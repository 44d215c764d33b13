"""`openledger worker page`: a running worker's load for people, in a browser on this machine."""

import asyncio
import math
import signal
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from node.cli.worker_paths import NO_TOKEN, places

if TYPE_CHECKING:
    from node.api.load_page import LoadView
    from node.serving.load_report import Deployed
    from node.serving.worker_client import WorkerClient

LOOPBACK = "127.0.0.1"
MAX_MODELS = 131_072
MAX_NAME_CHARS = 256


class Price(click.ParamType[float]):
    """A finite amount of at least nothing."""

    name = "PRICE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Infinity and what is no number are no prices."""
        amount = click.FLOAT.convert(value, param, ctx)
        if not 0 <= amount < math.inf:
            self.fail(f"{value} is not a price", param, ctx)
        return amount


@click.command("page")
@click.option("--port", type=click.IntRange(0, 65535), default=8090, show_default=True)
@click.option("--url", help="The node whose models are named; by default the configured listener.")
@click.option("--hour-price", type=Price(), help="What an hour of the processor costs you.")
@click.pass_context
def page(context: click.Context, port: int, url: str | None, hour_price: float | None) -> None:
    """Show the worker's load in a browser on this machine until interrupted: who is in memory, what 1,000
    tokens cost, what nobody uses. The password is the worker's token.
    """
    from node.cli.assembly import DAPP
    from node.errors import InvalidInput

    socket, token_file = places(context)
    if not token_file.is_file():
        raise InvalidInput(NO_TOKEN, token_file=str(token_file))
    api = context.obj.config.api
    node = url or f"http://{api.host}:{api.port}"

    def listening(bound: int) -> None:
        click.echo(f"http://{LOOPBACK}:{bound}/ – the password is in {token_file}")

    serve_page(socket, token_file, DAPP, port, hour_price, lambda: models_of(node), listening)


def serve_page(
    socket: Path,
    token_file: Path,
    dapp: Path,
    port: int,
    hour_price: float | None,
    deployed: "Callable[[], tuple[Deployed, ...] | None]",
    listening: Callable[[int], None],
) -> None:
    """Serve until interrupted. `deployed` asks the node for its models, None if there is none to ask;
    `listening` is told the port.
    """
    from node.api.app import listen
    from node.api.load_page import build_load_app
    from node.serving.worker_client import WorkerClient

    token = token_file.read_text(encoding="ascii").strip()

    async def serve() -> None:
        async with WorkerClient(socket, token_file) as client:

            async def read() -> "LoadView":
                return await view_of(client, hour_price, deployed)

            runner, bound = await listen(build_load_app(dapp, token, read), LOOPBACK, port)
            try:
                listening(bound)
                await interrupted()
            finally:
                await runner.cleanup()

    asyncio.run(serve())


async def interrupted() -> None:
    """Return when this process is told to end."""
    told = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, told.set)
    await told.wait()


async def view_of(
    client: "WorkerClient", hour_price: float | None, deployed: "Callable[[], tuple[Deployed, ...] | None]"
) -> "LoadView":
    """What the worker and the node tell now. Raises an error of `node.errors` where the worker does not."""
    from node.api.load_page import LoadView
    from node.errors import OpenLedgerError
    from node.serving.load_report import load_report
    from node.serving.worker_adapters import WorkerAdapters

    worker, models, note = WorkerAdapters(client), None, ""
    try:
        models = await asyncio.to_thread(deployed)
    except OpenLedgerError as error:
        note = f"The node's models are not known, so that adapters have no names: {error.message}"
    report = load_report(await worker.list(), await worker.metrics(), models)
    return LoadView(report, hour_price, note)


def models_of(url: str) -> "tuple[Deployed, ...]":
    """The specialised models that a node offers. Raises Unavailable."""
    from node.cli.receipt import fetch
    from node.errors import Unavailable
    from node.serving.load_report import Deployed
    from protocol.errors import ProtocolError
    from protocol.fields import Fields

    try:
        listed = Fields(fetch(url, "/v1/models"), "models").objects("data", MAX_MODELS)
        named = [(one.text("id", MAX_NAME_CHARS), one.text("root", MAX_NAME_CHARS)) for one in listed]
    except ProtocolError as error:
        raise Unavailable(f"the node's list of models is malformed: {error}", url=url) from error
    return tuple(Deployed(name, root) for name, root in named if root)
