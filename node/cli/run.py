"""`openledger node`: the daemon."""

import click

from node.cli.session import Session, json_option


@click.group("node")
def group() -> None:
    """Run a node, or ask the running one how it is."""


@group.command("run")
@click.pass_obj
def run(session: Session) -> None:
    """Serve until interrupted."""
    from node.cli.assembly import run_node

    run_node(session.config)


@group.command("show")
@click.option("--url", help="The node to ask; by default the configured listener.")
@json_option
@click.pass_obj
def show(session: Session, url: str | None) -> None:
    """The running node's nine stages in numbers."""
    from node.cli.receipt import fetch

    api = session.config.api
    body = fetch(url or f"http://{api.host}:{api.port}", "/v1/status")
    session.show(body if session.as_json else dict(body["stages"]))
