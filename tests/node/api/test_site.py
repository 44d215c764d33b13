"""Every page can be read without JavaScript, holds no inline code, escapes what strangers wrote.

What it shows adds up to the wei.
"""

import html
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from node.api.app import Parts, build_app, listen
from node.api.ports import Network, RowView
from node.api.site import WALLET_FUNCTIONS, add_site, wallet_settings
from node.chain.deployment import load_artifact
from node.metrics import Registry
from node.receipts.log import RetrievedRow
from protocol.attribution import AttributionReport, Entry, Lane
from protocol.types import Address
from protocol.validity_text import decimal, sentences
from tests.node.api import samples
from tests.node.api.conftest import MODEL, REPORT, SETTINGS, ScriptedPipeline, Shelf, Surroundings

DAPP = Path(__file__).resolve().parents[3] / "dapp"
NAME = "0x" + samples.REQUEST_ID.hex()
PAGES = (
    "/",
    "/answers",
    f"/answers/{NAME}",
    "/earnings",
    f"/earnings/{samples.ADA}",
    "/governance",
    "/stake",
    f"/models/{MODEL}",
)
ADDRESSES = {name: samples.address(20 + place) for place, name in enumerate(WALLET_FUNCTIONS)}
NETWORK = Network(
    31337,
    "test chain",
    "http://127.0.0.1:8545",
    ADDRESSES,
    {name: load_artifact(name).abi for name in ADDRESSES},
)
EVIL = "<img src=x onerror=alert(1)>\"'{{7*7}}</script>"


class Outline(HTMLParser):
    """What a page is made of: tags with attributes, and whether every tag that opens is closed."""

    VOID = frozenset({"meta", "link", "input", "br", "img"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def outline(text: str) -> Outline:
    parsed = Outline()
    parsed.feed(text)
    assert parsed.open == []
    return parsed


class Site:
    """A listening site and what it shows."""

    def __init__(self, client: aiohttp.ClientSession, shelf: Shelf) -> None:
        self.client = client
        self.shelf = shelf

    async def get(self, path: str, status: int = 200) -> str:
        async with self.client.get(path) as response:
            assert response.status == status, await response.text()
            return await response.text()


@pytest_asyncio.fixture
async def site() -> AsyncIterator[Site]:
    shelf = Shelf(
        {samples.REQUEST_ID: samples.RECORD, samples.UNFINISHED.request_id: samples.UNFINISHED}, True
    )
    around = Surroundings()
    parts = Parts(ScriptedPipeline(), around, shelf, around, around, NETWORK, Registry())
    app = build_app(parts, SETTINGS)
    add_site(app, samples.site_data(), DAPP, "OpenLedger")
    runner, port = await listen(app, "127.0.0.1", 0)
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as client:
        yield Site(client, shelf)
    await runner.cleanup()


@pytest.mark.parametrize("path", PAGES)
async def test_each_page_is_whole_and_holds_no_inline_code(site: Site, path: str) -> None:
    """SPEC 10.1, SPEC 10.2"""
    async with site.client.get(path) as response:
        assert response.status == 200
        policy = response.headers["Content-Security-Policy"]
        text = await response.text()
    for rule in ("default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'"):
        assert rule in policy
    assert "unsafe" not in policy and "http:" not in policy
    page = outline(text)
    for tag, attributes in page.tags:
        assert "style" not in attributes and not any(name.startswith("on") for name in attributes)
        assert tag != "style"
        if tag == "script":
            assert (attributes["src"] or "").startswith("/js/")
    assert [tag for tag, _ in page.tags].count("h1") == 1
    assert "<noscript>" in text or path not in ("/governance", "/stake")


@pytest.mark.parametrize("path", PAGES)
async def test_every_control_has_a_name(site: Site, path: str) -> None:
    """SPEC 10.2"""
    page = outline(await site.get(path))
    labelled = {attributes.get("for") for tag, attributes in page.tags if tag == "label"}
    for tag, attributes in page.tags:
        if tag in ("input", "select") and attributes.get("type") != "radio":
            assert attributes["id"] in labelled
        if tag == "svg":
            assert attributes.get("aria-label") or attributes.get("aria-hidden") == "true"
    identifiers = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(identifiers) == len(set(identifiers))


@pytest.mark.parametrize("path", PAGES)
async def test_every_link_and_asset_of_a_page_is_there(site: Site, path: str) -> None:
    """SPEC 10.1"""
    page = outline(await site.get(path))
    for _, attributes in page.tags:
        target = attributes.get("src") or attributes.get("href") or ""
        known = any(
            target.startswith(f"/{place}")
            for place in ("css", "js", "vendor", "v1/status", "health", "metrics")
        )
        if target.startswith("/") and (known or target in PAGES):
            async with site.client.get(target) as response:
                assert response.status == 200, target


async def test_an_answer_shows_its_text_its_sources_and_every_wei(site: Site) -> None:
    """SPEC 10.3, SPEC 10.6"""
    text = await site.get(f"/answers/{NAME}")
    plain = re.sub(r"<sup>.*?</sup>|<[^>]+>", "", text)
    assert "".join(samples.TEXTS).strip() in " ".join(plain.split())
    marks = re.findall(r'<mark class="tint-(\d)">(.*?)<sup>', text)
    assert marks == [("1", "E11.9"), ("2", "type 2 diabetes mellitus without complications")]
    assert "No attributable source" in text and "33.0768 %" in text
    cells = [
        int(cell.replace("\u202f", ""))
        for cell in re.findall(r'<td class="num right">([\d\u202f]+)</td>', text)
    ]
    assert sum(cells) == 4 * samples.COST
    assert cells.count(samples.COST) == 2


async def test_an_answer_tells_how_far_its_shares_can_be_believed(site: Site) -> None:
    """SPEC 5.175: as measured for its model, and that nothing was where nothing was."""
    assert "was not measured" in await site.get(f"/answers/{NAME}")
    owner = Address(REPORT.report.absences[1].owner)
    shared = AttributionReport((Entry(Lane.GRADIENT, 4, owner, 400_000),), 600_000, b"\1" * 32)
    site.shelf.records[samples.REQUEST_ID] = replace(samples.RECORD, model=MODEL, report=shared)
    text = await site.get(f"/answers/{NAME}")
    contributors = REPORT.report.contributors
    assert contributors is not None and decimal(contributors.attribution) in text
    assert f'data-absence="{owner}"' in text and "+0.200 (+0.100 to +0.300) nats" in text
    assert f'href="/models/{MODEL}"' in text


async def test_an_unpublished_answer_keeps_its_text(site: Site) -> None:
    """SPEC 4.69"""
    site.shelf.published = False
    text = await site.get(f"/answers/{NAME}")
    assert "diabetes" not in text
    assert "49.1538 %" in text


async def test_an_answer_without_attribution_says_so(site: Site) -> None:
    """SPEC 10.6"""
    assert "is being computed" in await site.get(f"/answers/0x{samples.UNFINISHED.request_id.hex()}")


async def test_what_strangers_wrote_stays_text(site: Site) -> None:
    """SPEC 10.2"""
    row = RowView(4, samples.ADA, EVIL, EVIL, False)
    evil = replace(
        samples.RECORD, prompt=EVIL, model=EVIL, token_texts=(EVIL, *samples.TEXTS[1:]), rows=(row,)
    )
    site.shelf.records[samples.REQUEST_ID] = evil
    text = await site.get(f"/answers/{NAME}")
    assert EVIL not in text and "<img" not in text and "49</script>" not in text
    assert text.count("&lt;img src=x onerror=alert(1)&gt;") >= 4
    outline(text)


@pytest.mark.parametrize(
    "path", ["/answers/0x12", f"/answers/0x{'00' * 32}", "/earnings/x", f"/earnings/{samples.BO}"]
)
async def test_what_is_not_there_is_a_page_too(site: Site, path: str) -> None:
    """SPEC 10.1"""
    assert "Not in the ledger" in await site.get(path, 404)


@pytest.mark.parametrize(
    "path",
    ["/js/../../pyproject.toml", "/js/%2e%2e/%2e%2e/pyproject.toml", "/css/..%2f..%2fnode/config.py",
     "/templates/page.html", "/js/", "/vendor"],
)  # fmt: skip
async def test_only_the_three_folders_are_served(site: Site, path: str) -> None:
    """SPEC 10.2"""
    async with site.client.get(path) as response:
        assert response.status in (403, 404)


async def test_governance_shows_each_state_and_a_form_for_the_open_one_only(site: Site) -> None:
    """SPEC 10.7"""
    text = await site.get("/governance")
    page = outline(text)
    assert [a["data-state"] for _, a in page.tags if "data-proposal" in a] == list(samples.STATES)
    assert sum(1 for tag, a in page.tags if tag == "form" and a.get("class") == "vote") == 1
    assert text.count('aria-current="step"') == len(samples.STATES)
    assert "Voting ends in 1 h 1 min" in text


def test_the_wallet_gets_what_it_calls_and_no_more() -> None:
    """SPEC 10.10"""
    settings = wallet_settings(NETWORK)
    assert (settings["chainId"], settings["rpcUrl"]) == (31337, "http://127.0.0.1:8545")
    contracts = settings["contracts"]
    assert isinstance(contracts, dict)
    for name, functions in WALLET_FUNCTIONS.items():
        entries = contracts[name]["abi"]
        assert {entry["name"] for entry in entries if entry["type"] == "function"} == functions
        assert any(entry["type"] == "error" for entry in entries)


async def test_a_model_s_page_tells_its_report_with_intervals_and_where_it_is_from(site: Site) -> None:
    """SPEC 5.234"""
    page = html.unescape(await site.get(f"/models/{MODEL}"))
    report = REPORT.report
    assert REPORT.cid.text in page and REPORT.source in page
    for sentence in sentences(report):
        assert sentence in page
    assert all(f"/earnings/{absence.owner}" in page for absence in report.absences)


async def test_a_model_that_is_not_served_has_no_page(site: Site) -> None:
    """SPEC 5.234"""
    await site.get("/models/nobody", status=404)


async def test_an_answer_shows_which_datapoints_stood_in_its_prompt(site: Site) -> None:
    """SPEC 5.216: and what each of them added; to a stranger not even which they are."""
    added = (RetrievedRow(4, 10, 20, 1_250_000), RetrievedRow(31, 20, 31, None))
    path = f"/answers/0x{samples.REQUEST_ID.hex()}"
    site.shelf.records[samples.REQUEST_ID] = replace(samples.RECORD, retrieved=added)
    text = await site.get(path)
    assert "made the answer 1.25 nats likelier" in text and text.count("in the prompt") >= 2
    site.shelf.published = False
    assert "in the prompt" not in await site.get(path)
