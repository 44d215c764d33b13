"""`openledger receipt`: what a node signed, fetched over HTTP and checked here without trusting that node."""

import json
import urllib.error
import urllib.request
from typing import Any

import click

from node.cli.session import DIGEST, Session, json_option
from node.errors import IntegrityError, NotFound, Unavailable

TIMEOUT_SECONDS = 15
MAX_BYTES = 16 << 20


@click.group("receipt")
def group() -> None:
    """Show and verify receipts."""


@group.command("show")
@click.argument("request_id", type=DIGEST)
@click.option("--url", help="The node to ask; by default the configured listener.")
@json_option
@click.pass_obj
def show(session: Session, request_id: bytes, url: str | None) -> None:
    """The signed receipt of a request."""
    body = fetch(url or own_url(session), f"/v1/receipts/0x{request_id.hex()}")
    session.show(body if session.as_json else {**body["receipt"], "settlement": body["settlement"]})


@group.command("verify")
@click.argument("request_id", type=DIGEST)
@click.option("--url", help="The node to ask; by default the configured listener.")
@json_option
@click.pass_obj
def verify(session: Session, request_id: bytes, url: str | None) -> None:
    """Recover the signer, ask the chain about it, recompute the roots. Exit code 7 if one fails."""
    from node.cli.access import open_chain
    from node.cli.receipt_checks import check_receipt

    base = url or own_url(session)
    receipt = fetch(base, f"/v1/receipts/0x{request_id.hex()}")
    attribution = fetch(base, f"/v1/attribution/0x{request_id.hex()}")
    checks = check_receipt(request_id, receipt, attribution, open_chain(session.config))
    session.show([{"check": name, "holds": holds, "detail": detail} for name, holds, detail in checks])
    failed = [name for name, holds, _ in checks if not holds]
    if failed:
        raise IntegrityError("the receipt does not hold", failed=", ".join(failed))


def fetch(base: str, path: str) -> Any:
    """JSON of a node's API. Raises NotFound or Unavailable."""
    request = urllib.request.Request(base.rstrip("/") + path, headers={"Accept": "application/json"})
    if request.type not in ("http", "https"):
        raise Unavailable("a node is asked by http or https", url=base)
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as response:
            body = json.loads(response.read(MAX_BYTES))
            if response.status == 202:
                raise Unavailable("the answer is still being attributed", path=path)
            return body
    except urllib.error.HTTPError as error:
        if error.code == 404:
            raise NotFound("the node has no such request", url=base, path=path) from error
        raise Unavailable(f"the node answered {error.code}", url=base, path=path) from error
    except (OSError, ValueError) as error:
        raise Unavailable(f"the node does not answer: {error}", url=base) from error


def own_url(session: Session) -> str:
    """The configured listener."""
    api = session.config.api
    return f"http://{api.host}:{api.port}"
