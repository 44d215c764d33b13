"""`openledger chain`: the embedded development chain, and the state of whichever chain is configured."""

import os
import sys
from urllib.parse import urlsplit

import click

from node.cli.session import Session, json_option


@click.group("chain")
def group() -> None:
    """Run the development chain, or look at the chain."""


@group.command("run")
@click.option("--port", type=int, help="Port to listen on instead of the configured one.")
@click.option("--memory", is_flag=True, help="Keep nothing on disk.")
@click.option("--block-time", type=float, help="Seconds between blocks; 0 makes one block per transaction.")
@click.pass_obj
def run(session: Session, port: int | None, memory: bool, block_time: float | None) -> None:
    """Run the embedded single-operator development chain until interrupted."""
    config = session.config
    address = urlsplit(config.chain.rpc_url)
    seconds = config.chain.block_seconds if block_time is None else block_time
    command = [sys.executable, "-m", "node.chain.embedded", "--chain-id", str(config.chain.chain_id)]
    command += ["--host", address.hostname or "127.0.0.1", "--block-time", str(seconds)]
    command += ["--port", str(address.port or 8545) if port is None else str(port)]
    if not memory:
        command += ["--db", str(config.path(config.node.data_dir / "chain.sqlite"))]
    # The chain takes this process's place, so that a signal to it is a signal to the chain.
    os.execv(sys.executable, command)


@group.command("show")
@json_option
@click.pass_obj
def show(session: Session) -> None:
    """The chain's id and head, and the contracts deployed on it."""
    from node.cli.access import open_chain

    chain = open_chain(session.config)
    head = chain.head()
    facts: dict[str, object] = {"chain_id": chain.chain_id, "block": head.number, "time": head.timestamp}
    session.show({**facts, **dict(chain.deployment.contracts)})
