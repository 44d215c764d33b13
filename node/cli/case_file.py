"""A receipt with all that is needed to check its attribution: fetched from a node, or read from a file.

The file is what `openledger attribution export` writes. Nothing in it is believed: receipt and lists are
checked against the signature and the chain, the tokens against the receipt, the model against the registry.
"""

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from node.cli.receipt import MAX_BYTES, TIMEOUT_SECONDS, fetch
from node.cli.receipt_checks import report_of
from node.errors import InvalidInput, NotFound, Refused, Unavailable
from node.serving.model import ServedModel
from protocol.attribution import AttributionReport
from protocol.canonical import parse_json
from protocol.errors import ProtocolError
from protocol.hashing import from_hex
from protocol.opening import Opening
from protocol.receipt import Receipt, receipt_from_json

MAX_FILE_BYTES = 64 << 20


@dataclass(frozen=True)
class CaseFile:
    """The bodies as the node gave them; `opening` is None where nobody showed the tokens. `url` is the node
    that has the public data.
    """

    url: str
    receipt_body: Mapping[str, Any]
    attribution: Mapping[str, Any]
    model: ServedModel
    opening: Opening | None

    @property
    def receipt(self) -> Receipt:
        """Raises ProtocolError where it is none."""
        return receipt_from_json(self.receipt_body["receipt"])

    @property
    def report(self) -> AttributionReport:
        """The report that the receipt's root should bind."""
        return report_of(self.attribution)

    def to_json(self) -> dict[str, object]:
        """Plain values; the model as text, since its rates pass what JSON readers agree on."""
        return {
            "v": 1,
            "url": self.url,
            "receipt": dict(self.receipt_body),
            "attribution": dict(self.attribution),
            "model": self.model.to_json(),
            "opening": None if self.opening is None else self.opening.to_json(),
        }


def fetch_case(url: str, request_id: bytes, api_key: str | None) -> CaseFile:
    """From a node's API. Raises NotFound or Unavailable; Refused where the key did not pay."""
    name = f"0x{request_id.hex()}"
    text = fetch_bytes(url, f"/v1/attribution/{name}/model")
    opening = None
    if api_key is not None:
        body = fetch_bytes(url, f"/v1/attribution/{name}/opening", {"Authorization": f"Bearer {api_key}"})
        opening = Opening.from_json(parse_json(body, MAX_FILE_BYTES))
    return CaseFile(
        url,
        fetch(url, f"/v1/receipts/{name}"),
        fetch(url, f"/v1/attribution/{name}"),
        ServedModel.from_json(text.decode("utf-8")),
        opening,
    )


def read_case(path: Path) -> CaseFile:
    """From a file. Raises InvalidInput."""
    try:
        body = parse_json(path.read_bytes(), MAX_FILE_BYTES)
        if not isinstance(body, dict) or body.get("v") != 1:
            raise InvalidInput("this is no exported receipt of version 1", path=str(path))
        opening = None if body["opening"] is None else Opening.from_json(body["opening"])
        model = ServedModel.from_json(str(body["model"]))
        return CaseFile(str(body["url"]), body["receipt"], body["attribution"], model, opening)
    except (OSError, ProtocolError, KeyError, TypeError, ValueError) as error:
        raise InvalidInput(f"the file holds no receipt: {error}", path=str(path)) from error


def read_opening(path: Path) -> Opening:
    """A payer's own record of the tokens. Raises InvalidInput."""
    try:
        return Opening.from_json(parse_json(path.read_bytes(), MAX_FILE_BYTES))
    except (OSError, ProtocolError) as error:
        raise InvalidInput(f"the file holds no tokens: {error}", path=str(path)) from error


def write_case(path: Path, case: CaseFile) -> None:
    """As `read_case` reads it; only this user may read it, for it may hold the tokens."""
    path.touch(mode=0o600)
    path.write_text(json.dumps(case.to_json(), indent=1) + "\n", encoding="utf-8")


def case_of(reference: str, url: str, api_key: str | None) -> CaseFile:
    """A request id, or the path of an exported file."""
    if reference.startswith("0x"):
        try:
            return fetch_case(url, from_hex(reference.lower(), 32), api_key)
        except ProtocolError as error:
            raise InvalidInput(f"this is no request id: {error}", reference=reference[:80]) from error
    return read_case(Path(reference))


def fetch_bytes(
    base: str, path: str, headers: Mapping[str, str] | None = None, limit: int = MAX_BYTES
) -> bytes:
    """A body of a node's API, at most `limit` bytes of it. Raises NotFound, Refused or Unavailable."""
    request = urllib.request.Request(base.rstrip("/") + path, headers=dict(headers or {}))
    if request.type not in ("http", "https"):
        raise Unavailable("a node is asked by http or https", url=base)
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as response:
            data: bytes = response.read(limit + 1)
    except urllib.error.HTTPError as error:
        kind = {404: NotFound, 401: Refused, 403: Refused}.get(error.code, Unavailable)
        raise kind(f"the node answered {error.code}", url=base, path=path) from error
    except OSError as error:
        raise Unavailable(f"the node does not answer: {error}", url=base) from error
    if len(data) > limit:
        raise Unavailable("the node's answer is too large", path=path, limit=limit)
    return data
