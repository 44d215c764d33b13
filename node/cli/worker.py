"""`openledger worker`: run an inference worker by itself, and look after one that runs."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from node.cli.session import json_option
from node.cli.worker_page import page
from node.cli.worker_paths import NO_TOKEN, places

if TYPE_CHECKING:
    from node.serving.worker_adapters import AdapterLine, WorkerAdapters

T = TypeVar("T")
FOLDER = click.Path(path_type=Path, file_okay=False)
FILE = click.Path(path_type=Path, dir_okay=False)
NO_SOCKET = "no worker listens here; start one with `openledger worker run`, or name its socket with --socket"
NO_BASE = "no base model is here; convert one with `python -m inference_worker.base.convert --out FOLDER`"


@click.group("worker")
@click.option("--socket", type=FILE, help="The worker's Unix socket instead of the configured one.")
@click.option("--token-file", type=FILE, help="The worker's token file instead of the configured one.")
@click.pass_context
def group(context: click.Context, socket: Path | None, token_file: Path | None) -> None:
    """Run an inference worker, or look after the adapters of a running one."""
    context.meta["worker.socket"], context.meta["worker.token_file"] = socket, token_file


group.add_command(page)


@group.command("run", context_settings={"ignore_unknown_options": True})
@click.option("--base", type=FOLDER, help="Folder of the converted base model.")
@click.option("--data", type=FOLDER, help="Folder for packed adapters and job state.")
@click.option("--node-socket", type=FILE, help="The node's private socket, where adapters come from.")
@click.argument("further", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def run(
    context: click.Context,
    base: Path | None,
    data: Path | None,
    node_socket: Path | None,
    further: tuple[str, ...],
) -> None:
    """Serve until interrupted. FURTHER options go to the worker as they are, e.g. --adapter-dtype int8
    --adapter-bytes 4294967296 --threads 2; `python -m inference_worker --help` lists them.
    """
    from node.cli.worker_paths import make_token
    from node.errors import NotFound
    from node.serving.worker_process import WorkerPaths, lone_worker_command, worker_environment

    socket, token_file = places(context)
    worker, config = context.obj.config.worker, context.obj.config
    paths = WorkerPaths(
        socket=socket,
        node_socket=(node_socket or config.path(worker.internal_socket)).absolute(),
        token_file=token_file,
        data_dir=(data or config.path(worker.data_dir)).absolute(),
        base_dir=(base or config.path(worker.base_dir)).absolute(),
    )
    if not paths.base_dir.is_dir():
        raise NotFound(NO_BASE, base=str(paths.base_dir))
    make_token(token_file)
    paths.data_dir.mkdir(parents=True, exist_ok=True)
    # The worker takes this process's place, so that a signal to it is a signal to the worker.
    command = (*lone_worker_command(paths), *further)
    os.execve(command[0], command, worker_environment(dict(os.environ)))


@group.command("list")
@click.option("--state", metavar="STATE", help="Only those in this state, e.g. resident or quarantined.")
@json_option
@click.pass_context
def list_adapters(context: click.Context, state: str | None) -> None:
    """Every adapter: where it is, what holds it there, its use, and why it is not served."""
    from dataclasses import asdict

    found = _ask(context, lambda worker: worker.list(state))
    if context.obj.as_json:
        context.obj.show(asdict(found))
        return
    for one in found.tiers:
        share = 100 * one.used_bytes / max(one.budget_bytes, 1)
        click.echo(f"{one.tier}: {_size(one.used_bytes)} of {_size(one.budget_bytes)} ({share:.1f} %)")
    context.obj.show([_line(one) for one in found.adapters])


@group.command("register")
@click.argument("cid")
@json_option
@click.pass_context
def register(context: click.Context, cid: str) -> None:
    """Make the adapter CID known without loading it."""
    _do(context, "registered", lambda worker: worker.register(_checked(cid)))


@group.command("pin")
@click.argument("cid")
@json_option
@click.pass_context
def pin(context: click.Context, cid: str) -> None:
    """Load the adapter CID now, and keep it in memory."""
    _do(context, "pinned", lambda worker: worker.pin(_checked(cid)))


@group.command("unpin")
@click.argument("cid")
@json_option
@click.pass_context
def unpin(context: click.Context, cid: str) -> None:
    """Let the adapter CID be evicted again."""
    _do(context, "unpinned", lambda worker: worker.unpin(_checked(cid)))


@group.command("evict")
@click.argument("cid")
@click.option("--tier", type=click.Choice(["host", "disk"]), default="host", show_default=True)
@json_option
@click.pass_context
def evict(context: click.Context, cid: str, tier: str) -> None:
    """Remove the adapter CID from memory, or from disk."""
    _do(context, f"evicted from {tier}", lambda worker: worker.evict(_checked(cid), tier))


@group.command("quarantine")
@click.option("--clear", metavar="CID", help="Let this adapter be tried again.")
@json_option
@click.pass_context
def quarantine(context: click.Context, clear: str | None) -> None:
    """The adapters that are not served, and why."""
    from dataclasses import asdict

    if clear is not None:
        _do(context, "cleared", lambda worker: worker.clear(_checked(clear)))
        return
    context.obj.show([asdict(one) for one in _ask(context, lambda worker: worker.quarantine())])


@group.command("metrics")
@json_option
@click.pass_context
def metrics(context: click.Context) -> None:
    """The worker's counters and gauges, of each tier too."""
    found = _ask(context, lambda worker: worker.metrics())
    context.obj.show([{"name": one.name, **_labelled(one.labels), "value": one.value} for one in found])


def _labelled(labels: tuple[tuple[str, str], ...]) -> dict[str, str]:
    return {"labels": " ".join(f"{name}={value}" for name, value in labels)}


def _do(context: click.Context, done: str, call: "Callable[[WorkerAdapters], Awaitable[str]]") -> None:
    context.obj.show({"cid": _ask(context, call), "done": done})


def _ask(context: click.Context, call: "Callable[[WorkerAdapters], Awaitable[T]]") -> T:
    from node.errors import InvalidInput, WorkerUnreachable
    from node.serving.worker_adapters import WorkerAdapters
    from node.serving.worker_client import WorkerClient

    socket, token_file = places(context)
    if not token_file.is_file():
        raise InvalidInput(NO_TOKEN, token_file=str(token_file))
    if not socket.is_socket():
        raise WorkerUnreachable(NO_SOCKET, socket=str(socket))

    async def ask() -> T:
        async with WorkerClient(socket, token_file) as client:
            return await call(WorkerAdapters(client))

    return asyncio.run(ask())


def _checked(cid: str) -> str:
    from node.errors import InvalidInput
    from protocol.cid import parse_cid
    from protocol.errors import CidError

    try:
        return parse_cid(cid).text
    except CidError as error:
        raise InvalidInput(f"not an adapter's content id: {error}", cid=cid[:100]) from error


def _line(one: "AdapterLine") -> dict[str, object]:
    return {
        "adapter": one.cid,
        "state": one.state,
        "memory": _size(one.host_bytes),
        "disk": _size(one.disk_bytes),
        "held by": " ".join([f"{one.leases} requests", *(["pin"] if one.pinned else [])]),
        "requests": one.requests,
        "last used": _when(one.use.last_used),
        "reason": f"{one.code}: {one.reason}" if one.code else "",
    }


def _when(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S") if seconds else "never"


def _size(nbytes: int) -> str:
    return f"{nbytes / 2**20:.1f} MiB" if nbytes else "–"
