"""The pages, rendered here so that they can be read without JavaScript and without a wallet.

The policy allows scripts, styles and connections of this origin only, so no template holds an inline script
or style. Every value is escaped by the template engine; texts from users and rows are never marked as safe.
"""

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2
from aiohttp import web

from node.api import display
from node.api.inference import is_called
from node.api.keys import ANSWERS, MODELS, NETWORK, origin_of
from node.api.ports import AnswerRecord, Network
from node.api.problems import Problem
from node.api.receipts import by_owner, request_id_of, shown_rows
from node.api.site_data import SiteData
from protocol.hashing import to_hex
from protocol.types import parse_address
from protocol.validity_text import decimal, sentences

SITE = web.AppKey("site", SiteData)
TEMPLATES = web.AppKey("templates", jinja2.Environment)
SITE_NAME = web.AppKey("site_name", str)

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self'; img-src 'self' data:;"
    " font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
ASSETS = ("css", "js", "vendor")
RECENT = 50

# What the pages call; a page has no use for the rest of the interfaces.
WALLET_FUNCTIONS = {
    "OpenToken": {"balanceOf", "nonces", "name", "getVotes", "delegates", "delegate"},
    "NodeStaking": {"stakeWithPermit", "stakeOf", "totalStake", "pendingRewards", "claimRewards"},
    "OpenGovernor": {"castVote", "castVoteWithReason", "hasVoted", "state", "proposalVotes", "getVotes"},
}
routes = web.RouteTableDef()


def add_site(app: web.Application, data: SiteData, folder: Path, name: str) -> None:
    """Adds the pages and their files to the application. `folder` holds templates, css, js and vendor."""
    app[SITE], app[SITE_NAME] = data, name
    app[TEMPLATES] = environment_of(folder / "templates")
    app[TEMPLATES].globals["labels"] = data.labels
    for asset in ASSETS:
        app.router.add_static(f"/{asset}", folder / asset, follow_symlinks=False)
    app.add_routes(routes)


def environment_of(folder: Path) -> jinja2.Environment:
    """Templates of a folder, in which every value is escaped, with the filters of `display`."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for function in (
        display.amount,
        display.bar,
        display.colours,
        display.duration,
        display.figures,
        display.glyph,
        display.grouped,
        display.percent,
        display.nats,
        display.rounded,
        display.short,
        display.size,
        display.utc,
        decimal,
        sentences,
    ):
        environment.filters[function.__name__] = function
        environment.globals[function.__name__] = function
    return environment


def _page(request: web.Request, template: str, status: int = 200, **values: Any) -> web.Response:
    text = request.app[TEMPLATES].get_template(template).render(site_name=request.app[SITE_NAME], **values)
    headers = {"Content-Security-Policy": CONTENT_SECURITY_POLICY, "Cache-Control": "no-cache"}
    return web.Response(text=text, content_type="text/html", status=status, headers=headers)


@routes.get("/")
async def front(request: web.Request) -> web.Response:
    """The nine stages with their live numbers."""
    overview = await asyncio.to_thread(request.app[SITE].overview)
    models = await asyncio.to_thread(request.app[MODELS].served)
    return _page(request, "front.html", here="/", overview=overview, models=models, origin=origin_of(request))


@routes.get("/answers")
async def answers(request: web.Request) -> web.Response:
    """The latest answers."""
    recent = await asyncio.to_thread(request.app[SITE].recent, RECENT)
    return _page(request, "answers.html", here="/answers", recent=recent)


@routes.get("/answers/{request_id}")
async def answer(request: web.Request) -> web.Response:
    """One answer with its sources lit up and its price taken apart."""
    try:
        request_id = request_id_of(request)
    except Problem:
        return _missing(request, "No answer has this id.")
    source = request.app[ANSWERS]
    record = await asyncio.to_thread(source.find, request_id)
    if record is None:
        return _missing(request, "This node has answered no such request.")
    readable = await asyncio.to_thread(source.may_read, request_id, None)
    cards = await asyncio.to_thread(request.app[MODELS].served)
    measured = next((card.validity for card in cards if is_called(card, record.model)), None)
    return _page(request, "answer.html", 200, **_answer_values(record, readable), measured=measured)


def _answer_values(record: AnswerRecord, readable: bool) -> dict[str, Any]:
    owners = by_owner(record.report) if record.report is not None else ()
    listed = shown_rows(record, readable)
    row_owner = {row.index: row.owner for row in listed}
    added = {one.row: one.added for one in record.retrieved} if readable else {}
    tints = display.colours([owner for owner, _ in owners])
    shown = display.runs(record.token_texts, record.spans) if readable else ()
    marked = {run.row for run in shown if run.row is not None} | set(added)
    rows = sorted(listed, key=lambda row: (row.index not in marked, row.index))
    return {
        "here": "/answers",
        "record": record,
        "request_id": to_hex(record.request_id),
        "readable": readable,
        "runs": shown,
        "rows": rows,
        "notes": {row.index: number for number, row in enumerate(rows, start=1)},
        "row_owner": row_owner,
        "added": added,
        "owners": owners,
        "tints": tints,
        "price": record.receipt.price if record.receipt is not None else 0,
    }


@routes.get("/models/{name:.+}")
async def model(request: web.Request) -> web.Response:
    """One model, and how far its attribution can be believed."""
    name = request.match_info["name"]
    for card in await asyncio.to_thread(request.app[MODELS].served):
        if is_called(card, name):
            return _page(request, "model.html", here="", card=card, origin=origin_of(request))
    return _missing(request, "No model is served here under this name.")


@routes.get("/earnings")
async def earnings(request: web.Request) -> web.Response:
    """Who earned how much."""
    earners = await asyncio.to_thread(request.app[SITE].earners)
    return _page(request, "earnings.html", here="/earnings", earners=earners)


@routes.get("/earnings/{account}")
async def earner(request: web.Request) -> web.Response:
    """One account, and the answers that earned it its money."""
    try:
        account = parse_address(request.match_info["account"].lower())
    except ValueError:
        return _missing(request, "This is not an address.")
    detail = await asyncio.to_thread(request.app[SITE].earner, account)
    if detail is None:
        return _missing(request, "This account has earned nothing here yet.")
    return _page(request, "earner.html", here="/earnings", detail=detail)


@routes.get("/governance")
async def governance(request: web.Request) -> web.Response:
    """Proposals and the parameters they may change."""
    state = await asyncio.to_thread(request.app[SITE].governance)
    return _page(request, "governance.html", here="/governance", governance=state)


@routes.get("/stake")
async def stake(request: web.Request) -> web.Response:
    """Nodes to stake on."""
    staking = await asyncio.to_thread(request.app[SITE].staking)
    return _page(request, "stake.html", here="/stake", staking=staking)


@routes.get("/wallet.json")
async def wallet(request: web.Request) -> web.Response:
    """What the pages' scripts need to talk to a wallet and the chain."""
    body = json.dumps(wallet_settings(request.app[NETWORK]))
    return web.Response(text=body, content_type="application/json", headers={"Cache-Control": "no-cache"})


def wallet_settings(network: Network) -> dict[str, object]:
    """Chain, addresses and the few ABI entries in use, errors included so that a refusal can be named."""
    # A contract passes on the errors of those it calls, so each may revert with any of them.
    errors = {
        json.dumps(entry): entry
        for name in WALLET_FUNCTIONS
        for entry in network.abis[name]
        if _is_error(entry)
    }
    contracts = {
        name: {
            "address": network.contracts[name],
            "abi": [
                *(
                    one
                    for one in network.abis[name]
                    if one["type"] == "function" and one["name"] in functions
                ),
                *errors.values(),
            ],
        }
        for name, functions in WALLET_FUNCTIONS.items()
    }
    return {
        "chainId": network.chain_id,
        "chainName": network.chain_name,
        "rpcUrl": network.public_rpc_url,
        "contracts": contracts,
    }


def _is_error(entry: Mapping[str, object]) -> bool:
    return entry["type"] == "error"


def _missing(request: web.Request, reason: str) -> web.Response:
    return _page(request, "missing.html", status=404, here="", reason=reason)
