"""`openledger model`: the models on chain, and how far their attribution can be believed."""

import asyncio
from typing import Any

import click

from node.cli.session import Session, json_option
from node.errors import Unavailable

POLL_SECONDS = 1.0


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


@group.command("validity")
@click.argument("model")
@click.option("--subsets", type=click.IntRange(0, 250), help="Retrain on this many random halves in all.")
@click.option("--contributors", type=click.IntRange(0, 250), help="Retrain without this many contributors.")
@json_option
@click.pass_obj
def validity(session: Session, model: str, subsets: int | None, contributors: int | None) -> None:
    """How far the attribution of MODEL (name or name@version) agrees with retraining.

    With --subsets or --contributors, this node's worker first retrains as often as is missing; the cost is
    said before, and a new report is published. Interrupting leaves the job running.
    """
    from node.cli.node_door import NodeDoor

    door = NodeDoor.of(session.config)
    known = asyncio.run(door.get(f"/validity/{model}"))
    if subsets is not None or contributors is not None:
        made = [one["kind"] for one in known["retrainings"]]
        wanted = {
            "model": model,
            "subsets": made.count("half") if subsets is None else subsets,
            "contributors": made.count("without") if contributors is None else contributors,
        }
        asyncio.run(_measure(door, wanted))
        known = asyncio.run(door.get(f"/validity/{model}"))
    session.show(known if session.as_json else _shown(known))


async def _measure(door: Any, wanted: dict[str, Any]) -> None:
    """Says the cost, orders, and tells how far it is until it ends."""
    cost = await door.post("/validity/cost", wanted)
    about = "" if cost["seconds"] is None else f", about {cost['seconds']} s of the worker"
    click.echo(
        f"{cost['retrainings']} more retrainings, {cost['row_passes']} row passes at most{about}", err=True
    )
    if not cost["retrainings"]:
        return
    job_id = (await door.post("/validity/order", wanted))["job_id"]
    click.echo(f"job {job_id}", err=True)
    told = ""
    while (status := await door.get(f"/jobs/{job_id}"))["state"] in ("queued", "running"):
        told = _tell(status, told)
        await asyncio.sleep(POLL_SECONDS)
    if status["state"] != "done":
        raise Unavailable(f"the job ended as {status['state']}: {status['message']}", job_id=job_id)


def _tell(status: dict[str, Any], told: str) -> str:
    left = "" if status["eta_seconds"] is None else f", about {round(status['eta_seconds'])} s left"
    line = f"{status['message'] or status['state']}: {status['step']} of {status['steps']}"
    if line != told:
        click.echo(line + left, err=True)
    return line


def _shown(report: dict[str, Any]) -> list[dict[str, object]]:
    source = f"From {report['source']}: {report['cid']}"
    return [{"report": sentence} for sentence in (*report["sentences"], source)]
