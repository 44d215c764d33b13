"""`openledger datanet`: the Datanets on chain."""

import click

from node.cli.session import Session, json_option


@click.group("datanet")
def group() -> None:
    """Look at Datanets and their versions."""


@group.command("list")
@json_option
@click.pass_obj
def list_datanets(session: Session) -> None:
    """Every Datanet."""
    from node.cli.access import open_chain, record_of

    registry = open_chain(session.config).contract("DatanetRegistry")
    count = registry.functions.datanetCount().call()
    session.show(
        [{"id": number, **record_of(registry, "getDatanet", number)} for number in range(1, count + 1)]
    )


@group.command("show")
@click.argument("datanet", type=click.IntRange(1))
@click.option("--version", type=click.IntRange(1), help="One version instead of the Datanet itself.")
@json_option
@click.pass_obj
def show(session: Session, datanet: int, version: int | None) -> None:
    """One Datanet, or one of its versions."""
    from node.cli.access import open_chain, record_of
    from node.errors import NotFound

    registry = open_chain(session.config).contract("DatanetRegistry")
    if datanet > registry.functions.datanetCount().call():
        raise NotFound("no such Datanet", datanet=datanet)
    if version is None:
        session.show({"id": datanet, **record_of(registry, "getDatanet", datanet)})
        return
    if not registry.functions.versionExists((datanet << 64) | version).call():
        raise NotFound("no such version", datanet=datanet, version=version)
    session.show({"id": datanet, "version": version, **record_of(registry, "getVersion", datanet, version)})
