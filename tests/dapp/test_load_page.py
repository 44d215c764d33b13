"""The operator's page in a browser, over a real worker: what was asked of it is what is shown."""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import torch

from inference_worker.engine.linear import choose_linear
from inference_worker.engine.weights import read_weights
from node.api.app import listen
from node.api.load_page import LoadView, build_load_app
from node.cli.worker_page import view_of
from node.errors import Unavailable
from node.serving.load_report import Deployed
from node.serving.worker_client import WorkerClient
from tests.dapp.conftest import DAPP
from tests.inference_worker.adapters.peft_folders import adapter_files, write_base
from tests.inference_worker.running_worker import TOKEN, Worker, running_worker

pytestmark = pytest.mark.browser
EVIL = "<script>document.title = 'taken'</script><img src=x onerror=\"document.title='taken'\">"


class Operator:
    """A worker and its page on an event loop of their own, since the browser's driver blocks the test's."""

    def __init__(self, base: Path, folder: Path) -> None:
        (folder / "token").write_text(TOKEN + "\n")
        self._base, self._folder, self._stack = base, folder, AsyncExitStack()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.names: tuple[Deployed, ...] = ()
        self.node_is_gone = False
        self.worker, self._stop_worker, port = self.run(self._start())
        self.url = f"http://127.0.0.1:{port}/"

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(60)

    async def _start(self) -> tuple[Worker, Callable[[], Any], int]:
        weights, own = read_weights(self._base, choose_linear()[1]), AsyncExitStack()
        worker = await own.enter_async_context(running_worker(weights, self._folder))
        client = WorkerClient(worker.socket, self._folder / "token")

        def deployed() -> tuple[Deployed, ...]:
            if self.node_is_gone:
                raise Unavailable("the node does not answer: refused")
            return self.names

        async def read() -> LoadView:
            return await view_of(client, 3.6, deployed)

        runner, port = await listen(build_load_app(DAPP, TOKEN, read), "127.0.0.1", 0)
        self._stack.push_async_callback(runner.cleanup)
        self._stack.push_async_callback(client.close)
        self._stack.push_async_callback(own.aclose)
        return worker, own.aclose, port

    def stop_worker(self) -> None:
        self.run(self._stop_worker())

    def close(self) -> None:
        self.run(self._stack.aclose())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    return Path(write_base(tmp_path_factory.mktemp("base")))


@pytest.fixture
def operator(base: Path, tmp_path: Path) -> Iterator[Operator]:
    found = Operator(base, tmp_path)
    yield found
    found.close()


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    """A page that knows the password and notices every complaint of the browser."""
    credentials = {"username": "operator", "password": TOKEN}
    context = browser.new_context(http_credentials=credentials, viewport={"width": 1280, "height": 900})
    opened = context.new_page()
    opened.set_default_timeout(20_000)
    complaints: list[str] = []
    opened.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.complaints = complaints
    yield opened
    context.close()


def cells(page: Any, cid: str) -> dict[str, str]:
    """The cells of an adapter's row by their labels."""
    row = page.locator("#adapters tbody tr").filter(has_text=cid)
    assert row.count() == 1
    found = row.locator("td")
    return {one.get_attribute("data-label"): one.inner_text() for one in found.all()}


def test_the_page_shows_who_is_where_at_what_cost_and_what_nobody_uses(operator: Operator, page: Any) -> None:
    """SPEC 4.200, 4.208"""
    shelf = operator.worker.shelf
    used, idle = (shelf.put_bundle(adapter_files(seed=seed)) for seed in (1, 2))
    operator.names = (Deployed("useful", used), Deployed(EVIL, idle), Deployed("forgotten", "never-heard-of"))
    status, _ = operator.run(operator.worker.generate(adapter_cid=used, max_tokens=20, request_id="a"))
    operator.run(operator.worker.generate(max_tokens=5, request_id="b"))
    assert status == 200 and operator.run(operator.worker.call("PUT", f"/adapters/{idle}"))[0] == 200
    page.goto(operator.url)
    busy, quiet = cells(page, used), cells(page, idle)
    assert busy["State"] == quiet["State"] == "resident" and quiet["Held by"] == "0 requests, a pin"
    assert (busy["Answers"], quiet["Answers"], quiet["Last used"]) == ("1", "0", "never")
    seconds, price = (float(busy[label]) for label in
                      ("Processor seconds for 1,000 tokens", "Price of 1,000 tokens"))  # fmt: skip
    assert seconds > 0 and price == pytest.approx(3.6 * seconds / 3600, rel=0.02)
    assert quiet["Processor seconds for 1,000 tokens"] == "no tokens yet"
    unused = page.locator("#unused li").all_inner_texts()
    assert len(unused) == 2 and sum(EVIL in text for text in unused) == 1
    assert any("forgotten" in text and "not asked for" in text for text in unused)
    hit_rates = page.locator("#tiers tbody tr td:nth-child(5)").all_inner_texts()
    assert hit_rates == ["0.0 %", "0.0 %", "–"]
    assert page.title() == "Load of the worker" and page.complaints == []


def test_it_is_read_by_keyboard_and_by_role(operator: Operator, page: Any) -> None:
    """SPEC 4.200: headings, named tables and a link that skips to them."""
    cid = operator.worker.shelf.put_bundle(adapter_files())
    operator.run(operator.worker.generate(adapter_cid=cid, max_tokens=5))
    page.goto(operator.url)
    assert page.get_by_role("heading", level=1).inner_text() == "Load of the worker"
    assert page.get_by_role("heading", level=2).count() == 3
    for name in ("Adapters by their cost in all", "What each tier holds"):
        table = page.get_by_role("table", name=name)
        assert table.count() == 1 and table.get_by_role("columnheader").count() >= 6
    assert page.get_by_role("img", name=" of ").count() == 3
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to content"
    page.set_viewport_size({"width": 380, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 380


def test_an_empty_worker_and_one_that_is_down_say_so(operator: Operator, page: Any) -> None:
    """SPEC 4.208"""
    page.goto(operator.url)
    assert page.get_by_text("No model is deployed here yet").is_visible()
    operator.stop_worker()
    assert page.reload().status == 503
    assert "openledger worker run" in page.get_by_role("alert").inner_text()
    # The browser itself complains of the status, and of nothing else.
    assert all("503" in text for text in page.complaints)


def test_a_node_that_does_not_answer_costs_the_names_alone(operator: Operator, page: Any) -> None:
    """SPEC 4.208"""
    cid = operator.worker.shelf.put_bundle(adapter_files())
    operator.run(operator.worker.generate(adapter_cid=cid, max_tokens=5))

    operator.node_is_gone = True
    page.goto(operator.url)
    assert cells(page, cid)["State"] == "resident"
    assert page.get_by_text("adapters have no names").is_visible() and page.complaints == []


def test_a_browser_without_the_token_sees_nothing(operator: Operator, browser: Any) -> None:
    """SPEC 4.208"""
    context = browser.new_context(http_credentials={"username": "x", "password": "guess"})
    reply = context.new_page().goto(operator.url)
    assert reply.status == 401 and "Bytes against budgets" not in reply.text()
    context.close()
