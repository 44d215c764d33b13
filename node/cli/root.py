"""The root of the command line: global options, exit codes, and one group for each noun."""

from importlib import metadata
from pathlib import Path
from typing import Any, TextIO, cast

import click

from node.cli import (
    apikey,
    attribution,
    chain,
    channel,
    completion,
    configuration,
    datanet,
    governance,
    keys,
    model,
    receipt,
    reward,
    run,
    stake,
    worker,
)
from node.cli.session import Session, StandardError
from node.errors import OpenLedgerError
from node.log import configure

EPILOG = """\b
Exit codes: 0 done, 1 failed, 2 wrong usage or configuration, 3 not found, 4 conflict, 5 refused,
6 something does not answer, 7 bytes or signatures do not match, 8 a contract reverted, 130 interrupted.
"""


def _version() -> str:
    try:
        return metadata.version("openledger")
    except metadata.PackageNotFoundError:
        # A checkout that was never installed still answers, and says what it is.
        return "0+checkout"


class Root(click.Group):
    """Turns the node's errors into a message and their exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        """Runs the command."""
        try:
            return super().invoke(ctx)
        except OpenLedgerError as error:
            ctx.ensure_object(Session).fail(error)
            ctx.exit(error.exit_code)


@click.group(
    cls=Root,
    epilog=EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.option(
    "--config",
    "config_path",
    type=click.Path(path_type=Path, dir_okay=False),
    help="TOML configuration file.",
)
@click.version_option(_version(), prog_name="openledger")
@click.pass_context
def cli(context: click.Context, config_path: Path | None) -> None:
    """OpenLedger: language models that pay the people whose data made them useful."""
    session = context.ensure_object(Session)
    configure("warning", stream=cast(TextIO, StandardError()))
    session.config_path = config_path if config_path is not None else session.config_path


for group in (
    apikey.group,
    attribution.group,
    chain.group,
    channel.group,
    completion.command,
    configuration.group,
    datanet.group,
    governance.group,
    keys.group,
    model.group,
    receipt.group,
    reward.group,
    run.group,
    stake.group,
    worker.group,
):
    cli.add_command(group)
