"""`openledger config`: what is in force, and whether it holds together."""

import click

from node.cli.session import Session, json_option
from node.config import effective


@click.group("config")
def group() -> None:
    """Look at the configuration."""


@group.command("show")
@json_option
@click.pass_obj
def show(session: Session) -> None:
    """Every key with the value in force, whatever it came from."""
    values = effective(session.config)
    if session.as_json:
        session.show(values)
        return
    session.show(
        {f"{section}.{key}": value for section, keys in values.items() for key, value in keys.items()}
    )


@group.command("check")
@click.pass_obj
def check(session: Session) -> None:
    """Say whether the file and the environment are acceptable."""
    session.show({"data_dir": str(session.config.node.data_dir), "configuration": "ok"})
