"""`openledger attribution`: what a node says of an answer's sources, and the same computed by another."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from node.cli.session import ADDRESS, DIGEST, Session, json_option

if TYPE_CHECKING:
    from node.attribution.findings import Finding
    from protocol.types import Address
    from protocol.wire import JobStatus

FILE = click.Path(path_type=Path, dir_okay=False)
FOLDER = click.Path(path_type=Path, file_okay=False)
URL = click.option("--url", help="The node to ask; by default the configured listener.")
API_KEY = click.option("--api-key-file", type=FILE, help="The key that paid: it opens the answer's tokens.")
AGREES, DISAGREES, UNKNOWN = 0, 1, 2


@click.group("attribution")
def group() -> None:
    """Show, export and check where answers came from."""


@group.command("show")
@click.argument("request_id", type=DIGEST)
@URL
@json_option
@click.pass_obj
def show(session: Session, request_id: bytes, url: str | None) -> None:
    """Who an answer is attributed to, or how far that is."""
    from node.cli.receipt import fetch, own_url

    body = fetch(url or own_url(session), f"/v1/attribution/0x{request_id.hex()}")
    if session.as_json:
        session.show(body)
        return
    rest = [{"owner": "unattributed", "ppm": body["unattributed_ppm"]}]
    session.show([{"owner": one["owner"], "ppm": one["ppm"]} for one in [*body["contributors"], *rest]])


@group.command("export")
@click.argument("request_id", type=DIGEST)
@click.option("--out", type=FILE, required=True, help="The file to write; it may hold the answer's tokens.")
@URL
@API_KEY
@json_option
@click.pass_obj
def export(
    session: Session, request_id: bytes, out: Path, url: str | None, api_key_file: Path | None
) -> None:
    """Write a receipt with all that is needed to check its attribution into one file."""
    from node.cli.case_file import fetch_case, write_case
    from node.cli.receipt import own_url

    case = fetch_case(url or own_url(session), request_id, _api_key(api_key_file))
    write_case(out, case)
    session.show({"file": str(out), "opened": case.opening is not None})


@group.command("verify")
@click.argument("receipt")
@URL
@API_KEY
@click.option("--opening", type=FILE, help="A file with the answer's tokens, where no key may ask for them.")
@click.option("--worker", type=FILE, help="Socket of a running worker; without it, one is started.")
@click.option("--token-file", type=FILE, help="The given worker's token file; by default the configured one.")
@click.option("--base", type=FOLDER, help="The base model's folder for a worker of its own.")
@click.option("--data", type=FOLDER, help="Where public data is kept between checks.")
@json_option
@click.pass_context
def verify(
    context: click.Context,
    receipt: str,
    url: str | None,
    api_key_file: Path | None,
    opening: Path | None,
    worker: Path | None,
    token_file: Path | None,
    base: Path | None,
    data: Path | None,
) -> None:
    """Compute the attribution of RECEIPT (a request id, or an exported file) anew, and say what agrees.

    Exit code 0 where all of it agrees, 1 where something does not, 2 where something cannot be told.
    """
    from dataclasses import replace

    from node.cli.attribution_check import Place, check
    from node.cli.case_file import case_of, read_opening
    from node.cli.receipt import own_url

    session: Session = context.obj
    config = session.config
    case = case_of(receipt, url or own_url(session), _api_key(api_key_file))
    if opening is not None:
        case = replace(case, opening=read_opening(opening))
    place = Place(
        worker=worker,
        token_file=token_file or config.path(config.worker.token_file),
        base=(base or config.path(config.worker.base_dir)).absolute(),
        data=data or config.path(config.node.data_dir / "checks"),
    )
    findings = check(case, config, place)
    _show(session, findings)
    context.exit(exit_code_of(findings))


@group.command("audit")
@click.argument("epoch", type=click.IntRange(0))
@click.option("--ppm", type=click.IntRange(0, 1_000_000), default=10_000, show_default=True,
              help="How many of the epoch's receipts, in millionths.")  # fmt: skip
@click.option("--least", type=click.IntRange(0), default=5, show_default=True, help="But so many at least.")
@click.option("--rows", type=click.IntRange(0), default=16, show_default=True, help="Rows of each index.")
@click.option("--out", type=FILE, help="The report; an interrupted audit goes on from it.")
@click.option("--worker", type=FILE, help="Socket of a worker; by default the node's own.")
@click.option("--token-file", type=FILE, help="The worker's token file; by default the configured one.")
@json_option
@click.pass_context
def audit(
    context: click.Context,
    epoch: int,
    ppm: int,
    least: int,
    rows: int,
    out: Path | None,
    worker: Path | None,
    token_file: Path | None,
) -> None:
    """Recompute receipts of EPOCH and rows of their indexes, drawn by a block hash that nobody knew before.

    Exit codes as of `verify`.
    """
    from node.cli.attribution_audit import Scope, run_audit

    session: Session = context.obj
    config = session.config
    path = out or config.path(config.node.data_dir / f"audit-{epoch}.json")
    socket = worker or config.path(config.worker.socket)
    token = token_file or config.path(config.worker.token_file)

    def say(done: int, every: int, item: str) -> None:
        click.echo(f"{done} of {every}: {item}", err=True)

    findings = run_audit(config, Scope(epoch, ppm, least, rows), path, socket, token, say)
    _show(session, findings)
    context.exit(exit_code_of(findings))


@group.command("oracle")
@click.argument("request_id", type=DIGEST)
@click.option("--contributor", type=ADDRESS, required=True, help="Whose rows are left out.")
@click.option("--worker", type=FILE, help="Socket of a worker; by default the node's own.")
@click.option("--token-file", type=FILE, help="The worker's token file; by default the configured one.")
@json_option
@click.pass_obj
def oracle(
    session: Session, request_id: bytes, contributor: "Address", worker: Path | None, token_file: Path | None
) -> None:
    """Train anew with and without a contributor's rows, and say how much likelier they made this answer.

    Four trainings by the committed recipe, two seeds each; interrupted, it goes on when it is asked again.
    """
    from node.cli.attribution_oracle import ask

    config = session.config
    socket = worker or config.path(config.worker.socket)
    token = token_file or config.path(config.worker.token_file)
    result = ask(config, request_id, contributor, socket, token, _say_status)
    session.show(result)


def _say_status(status: "JobStatus") -> None:
    left = "" if status.eta_seconds is None else f", {status.eta_seconds:.0f} s left"
    click.echo(f"{status.phase}: step {status.step} of {status.steps}{left}", err=True)


def exit_code_of(findings: "tuple[Finding, ...]") -> int:
    """0, 1 or 2, as `verify` says."""
    verdicts = {one.agrees for one in findings}
    return DISAGREES if False in verdicts else UNKNOWN if None in verdicts else AGREES


def _show(session: Session, findings: "tuple[Finding, ...]") -> None:
    from dataclasses import asdict

    if session.as_json:
        session.show([asdict(one) for one in findings])
        return
    told = {True: "agrees", False: "DISAGREES", None: "unknown"}
    session.show(
        [
            {"what": one.name, "verdict": told[one.agrees], "expected": one.expected, "found": one.found}
            for one in findings
        ]
    )


def _api_key(path: Path | None) -> str | None:
    from node.errors import InvalidInput

    if path is None:
        return None
    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, ValueError) as error:
        raise InvalidInput("the key's file cannot be read", path=str(path)) from error
