"""Where a worker of this node lives, by the configuration; its token is made here, the first time."""

import secrets
from pathlib import Path

import click

from node.cli.session import Session
from node.config import Config
from node.serving.worker_process import WorkerPaths

TOKEN_BYTES = 32
NO_TOKEN = "the worker's token is not here; name the file that it was started with by --token-file"


def worker_paths(config: Config) -> WorkerPaths:
    """The worker's places, with a token file that exists."""
    worker = config.worker
    token_file = config.path(worker.token_file)
    make_token(token_file)
    return WorkerPaths(
        socket=config.path(worker.socket),
        node_socket=config.path(worker.internal_socket),
        token_file=token_file,
        data_dir=config.path(worker.data_dir),
        base_dir=config.path(worker.base_dir),
    )


def make_token(path: Path) -> None:
    """A new token that only this user may read, unless the file is there already."""
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.touch(mode=0o600)
    path.write_text(secrets.token_urlsafe(TOKEN_BYTES) + "\n", encoding="ascii")


def places(context: click.Context) -> tuple[Path, Path]:
    """The worker's socket and token file, as given on the command line or configured."""
    session: Session = context.obj
    worker = session.config.worker
    socket, token_file = context.meta["worker.socket"], context.meta["worker.token_file"]
    return (
        (socket or session.config.path(worker.socket)).absolute(),
        (token_file or session.config.path(worker.token_file)).absolute(),
    )
