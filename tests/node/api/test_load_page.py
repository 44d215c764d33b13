"""The operator's page: behind the worker's token, on loopback names, and inert whatever strangers wrote."""

import base64
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace

import aiohttp
import pytest
import pytest_asyncio

from node.api.app import listen
from node.api.load_page import LoadView, build_load_app
from node.errors import WorkerUnreachable
from node.serving.load_report import UNUSED, Deployed, load_report
from node.serving.worker_adapters import AdapterLine, Residency, TierLine, samples
from tests.node.api.test_site import DAPP, EVIL, Outline, outline

TOKEN = "a-worker-token"
TIERS = (TierLine("host", 30, 100), TierLine("disk", 0, 200), TierLine("fetching", 0, 0))
COUNTS = "openledger_worker_running 0\nopenledger_worker_waiting 3\nopenledger_worker_start_time_seconds 1\n"


def view(*lines: AdapterLine, names: tuple[Deployed, ...] = (), **changes: object) -> LoadView:
    report = load_report(Residency(TIERS, UNUSED, lines), samples(COUNTS), names)
    return replace(LoadView(report), **changes)


@dataclass
class Page:
    """A listening page, and what it is told to show."""

    url: str = ""
    shown: LoadView = field(default_factory=view)
    error: WorkerUnreachable | None = None

    async def read(self) -> LoadView:
        if self.error is not None:
            raise self.error
        return self.shown

    async def get(self, path: str = "/", **headers: str) -> tuple[int, str, dict[str, str]]:
        sent = {"Authorization": basic("x", TOKEN)} | headers
        async with aiohttp.ClientSession() as client, client.get(self.url + path, headers=sent) as reply:
            return reply.status, await reply.text(), dict(reply.headers)


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@pytest_asyncio.fixture
async def page() -> AsyncIterator[Page]:
    found = Page()
    runner, port = await listen(build_load_app(DAPP, TOKEN, found.read), "127.0.0.1", 0)
    found.url = f"http://127.0.0.1:{port}"
    yield found
    await runner.cleanup()


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (basic("x", TOKEN), 200),
        (basic("", TOKEN), 200),
        (basic("operator", TOKEN).replace("Basic", "basic"), 200),
        (f"Bearer {TOKEN}", 200),
        ("", 401),
        (basic(TOKEN, ""), 401),
        (basic("x", TOKEN + "x"), 401),
        (basic("x", TOKEN[:-1]), 401),
        (f"Bearer {TOKEN} ", 200),
        (f"Digest {TOKEN}", 401),
        ("Basic ????", 401),
        ("Basic " + base64.b64encode(b"x:\xff").decode(), 401),
        ("Basic " + base64.b64encode(TOKEN.encode()).decode(), 401),
    ],
)
@pytest.mark.parametrize("path", ["/", "/css/site.css", "/nothing"])
async def test_nothing_is_told_without_the_token(page: Page, sent: str, status: int, path: str) -> None:
    """SPEC 4.208"""
    found, text, headers = await page.get(path, Authorization=sent)
    assert found == (404 if status == 200 and path == "/nothing" else status)
    assert ("WWW-Authenticate" in headers) == (status == 401)
    assert status == 200 or "worker's token" in text


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "", "[::2]:1"])
async def test_a_rebound_name_gets_nothing(page: Page, host: str) -> None:
    """SPEC 4.208"""
    status, text, _ = await page.get("/", Host=host)
    assert status in (400, 421) and "Bytes against budgets" not in text


async def test_what_strangers_wrote_is_text(page: Page) -> None:
    """SPEC 4.208: names of models come from a registry that anybody writes to, reasons from their files."""
    line = AdapterLine("cid", "quarantined", 1, 1, 0, True, 1, "code", EVIL, UNUSED)
    page.shown = view(line, names=(Deployed(EVIL, "cid"), Deployed("ok\u202e", "other")), note=EVIL)
    status, text, headers = await page.get()
    assert status == 200
    tags = outline(text).tags
    assert not [tag for tag, _ in tags if tag in ("script", "img", "style", "iframe")]
    assert not [name for _, given in tags for name in given if name.startswith("on") or name == "style"]
    assert EVIL not in text and text.count("&lt;img src=x onerror=alert(1)&gt;") == 4
    assert text.count("{{7*7}}") == 4
    assert headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert headers["Cache-Control"] == "no-store" and headers["X-Frame-Options"] == "DENY"


async def test_every_table_says_what_its_cells_are(page: Page) -> None:
    """SPEC 4.200: also where columns are stacked, and to whoever sees no colour."""
    lines = [AdapterLine(c, "resident", 9, 9, 0, False, 1, "", "", replace(UNUSED, answers=1)) for c in "ab"]
    page.shown = view(*lines, hour_price=2.0)
    _, text, _ = await page.get()
    found = outline(text)
    heads = [given for tag, given in found.tags if tag == "th"]
    assert heads and all(given.get("scope") in ("col", "row") for given in heads)
    assert len([1 for tag, _ in found.tags if tag == "caption"]) == 2
    cells = [given for tag, given in found.tags if tag == "td"]
    assert cells and all("data-label" in given or given.get("class") == "wide" for given in cells)
    pictures = [given for tag, given in found.tags if tag == "svg"]
    assert pictures and all(given.get("role") == "img" and given.get("aria-label") for given in pictures)
    assert dict(found.tags)["html"] == {"lang": "en"} and "<title>" in text


async def test_an_empty_worker_says_so(page: Page) -> None:
    """SPEC 4.200"""
    status, text, _ = await page.get()
    assert status == 200 and isinstance(outline(text), Outline)
    assert "No adapter is known here yet" in text and "No model is deployed here yet" in text


async def test_a_worker_that_is_down_is_said_to_be(page: Page) -> None:
    """SPEC 4.208: with what to do, and again after it is back."""
    page.error = WorkerUnreachable("the worker does not answer: <b>")
    status, text, _ = await page.get()
    assert status == 503 and 'role="alert"' in text and "openledger worker run" in text
    assert "&lt;b&gt;" in text and outline(text)
    page.error = None
    assert (await page.get())[0] == 200
