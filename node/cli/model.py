"""`openledger model`: the models on chain."""

import click

from node.cli.session import Session, json_option


@click.group("model")
def group() -> None:
    """Look at registered models."""


@group.command("list")
@json_option
@click.pass_obj
def list_models(session: Session) -> None:
    """Every registered model."""
    from node.cli.access import open_chain, record_of

    registry = open_chain(session.config).contract("ModelRegistry")
    count = registry.functions.modelCount().call()
    session.show([_line(number, record_of(registry, "getModel", number)) for number in range(1, count + 1)])


def _line(number: int, record: dict[str, object]) -> dict[str, object]:
    terms = record["terms"]
    assert isinstance(terms, dict)
    shown = {name: terms[name] for name in ("name", "datanetVersionKey", "inRate", "outRate", "fixedPrice")}
    return {"id": number, "owner": record["owner"], "status": _status(record), **shown}


def _status(record: dict[str, object]) -> str:
    from node.models.contracts import ModelStatus

    return ModelStatus(int(str(record["status"]))).name.lower()


@group.command("show")
@click.argument("model", type=click.IntRange(1))
@json_option
@click.pass_obj
def show(session: Session, model: int) -> None:
    """One model with all its terms."""
    from node.cli.access import open_chain, record_of
    from node.errors import NotFound

    registry = open_chain(session.config).contract("ModelRegistry")
    if model > registry.functions.modelCount().call():
        raise NotFound("no such model", model=model)
    record = record_of(registry, "getModel", model)
    terms = record.pop("terms")
    assert isinstance(terms, dict)
    session.show({"id": model, **record, "status": _status(record), **terms})
