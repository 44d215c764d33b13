"""`python -m node.chain.embedded`: runs the development chain until it is told to stop."""

import asyncio
import contextlib
import signal
from pathlib import Path

import click
from aiohttp import web

from node import log
from node.chain.embedded.chain import EmbeddedChain
from node.chain.embedded.clock import wall_seconds
from node.chain.embedded.devnet import DEVNET_MNEMONIC, devnet_accounts
from node.chain.embedded.guard import LOOPBACK_HOSTS, Guard
from node.chain.embedded.producer import BlockProducer
from node.chain.embedded.server import RpcServer, produce_blocks
from node.errors import OpenLedgerError

BANNER = """single-operator development chain: no consensus, and its funded accounts are known to everyone.
Never send anything of value to it. For many machines, give the node a real chain's RPC endpoint instead."""


async def serve(producer: BlockProducer, guard: Guard, host: str, port: int, block_time: float) -> None:
    """Listens until SIGINT or SIGTERM; prints one line when ready."""
    server = RpcServer(producer, guard)
    runner = web.AppRunner(server.application(), access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, host, port)
    await site.start()
    stopped = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, stopped.set)
    bound = runner.addresses[0][1]
    head = producer.chain.head.block_number
    click.echo(f"ready http://{host}:{bound} chain {producer.chain.chain_id} block {head}")
    ticker = asyncio.create_task(produce_blocks(server, producer.mine, block_time)) if block_time else None
    await stopped.wait()
    if ticker is not None:
        ticker.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await ticker
    await runner.cleanup()
    producer.chain.close()


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8545, show_default=True, help="Port to listen on; 0 takes a free one.")
@click.option(
    "--db", type=click.Path(path_type=Path), help="File that keeps the chain; without it, memory only."
)
@click.option("--chain-id", default=31337, show_default=True)
@click.option("--block-time", default=0.0, help="Seconds between blocks; 0 makes one block per transaction.")
@click.option("--mnemonic", default=DEVNET_MNEMONIC, help="Mnemonic of the accounts funded at genesis.")
@click.option("--accounts", default=10, show_default=True, help="How many accounts of the mnemonic.")
@click.option("--locked", is_flag=True, help="Do not sign for the funded accounts.")
@click.option("--allow-host", multiple=True, help="Further host name to answer to.")
@click.option(
    "--allow-origin", multiple=True, help="Web origin whose pages may call, such as http://127.0.0.1:8080."
)
def main(
    host: str,
    port: int,
    db: Path | None,
    chain_id: int,
    block_time: float,
    mnemonic: str,
    accounts: int,
    locked: bool,
    allow_host: tuple[str, ...],
    allow_origin: tuple[str, ...],
) -> None:
    """Run the embedded single-operator development chain."""
    log.configure()
    click.echo(BANNER, err=True)
    funded = devnet_accounts(mnemonic, accounts)
    if db is not None:
        db.parent.mkdir(parents=True, exist_ok=True)
    try:
        path = str(db) if db is not None else ":memory:"
        chain = EmbeddedChain(path, chain_id, [account.address for account in funded], wall_seconds())
    except OpenLedgerError as error:
        click.echo(f"error: {error}", err=True)
        raise SystemExit(error.exit_code) from error
    producer = BlockProducer(chain, () if locked else funded, automine=not block_time)
    guard = Guard(LOOPBACK_HOSTS | frozenset(allow_host), frozenset(allow_origin))
    asyncio.run(serve(producer, guard, host, port, block_time))


if __name__ == "__main__":
    main()
