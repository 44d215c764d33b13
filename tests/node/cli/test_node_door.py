"""The operator's commands at the node's private socket: `openledger model validity` from report to order."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread

import pytest
from aiohttp import web
from click.testing import CliRunner, Result

from node.api.internal import build_internal_app, listen_internal
from node.cli.root import cli
from node.errors import NotFound
from node.training.reports import OF_BUNDLE, Provenance
from node.training.validity_cost import Cost, cost_of
from protocol.cid import cid_of_raw
from protocol.validity_text import sentences
from protocol.wire import JobStatus
from tests.node.api.test_internal import Bytes
from tests.protocol.validity_made import made_report

TOKEN = "worker-token"


@dataclass
class Desk:
    """One model; a job that goes through `states`, one at each question."""

    states: list[JobStatus]
    orders: list[tuple[str, int, int]] = field(default_factory=list)

    def show(self, model: str) -> Provenance:
        if model != "coder":
            raise NotFound("no such model", model=model)
        source = "validity-1" if self.orders else OF_BUNDLE
        return Provenance(made_report(), cid_of_raw(source.encode()), source)

    def cost(self, model: str, subsets: int, contributors: int) -> tuple[Cost, int | None]:
        return cost_of(self.show(model).report, subsets, contributors, 4), 60

    async def order(self, model: str, subsets: int, contributors: int) -> str:
        self.orders.append((model, subsets, contributors))
        return "validity-1"

    def status(self, job_id: str) -> JobStatus:
        return self.states.pop(0)


def status(state: str, message: str = "", step: int = 0) -> JobStatus:
    result = {"retrainings": 9} if state == "done" else None
    return JobStatus("validity-1", state, "validity", step, 9, None, None, message, result)  # type: ignore[arg-type]


@contextmanager
def listening(desk: Desk, socket: Path) -> Iterator[None]:
    """The node's private door, in a thread of its own."""
    loop, open_now, close_now = asyncio.new_event_loop(), Event(), asyncio.Event()

    async def serve() -> None:
        app: web.Application = build_internal_app(Bytes(), Bytes(), TOKEN, desk)
        runner = await listen_internal(app, socket)
        open_now.set()
        await close_now.wait()
        await runner.cleanup()

    thread = Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    assert open_now.wait(20)
    try:
        yield
    finally:
        loop.call_soon_threadsafe(close_now.set)
        thread.join()
        loop.close()


def run(data: Path, *arguments: str) -> Result:
    environment = {
        "OPENLEDGER_NODE_DATA_DIR": str(data),
        "OPENLEDGER_WORKER_INTERNAL_SOCKET": str(data / "node.sock"),
        "OPENLEDGER_WORKER_TOKEN_FILE": str(data / "token"),
    }
    return CliRunner().invoke(cli, ["model", "validity", *arguments], env=environment)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / "token").write_text(TOKEN + "\n")
    return tmp_path


def test_the_newest_report_is_told_with_where_it_is_from(data: Path) -> None:
    """SPEC 5.233"""
    with listening(Desk([]), data / "node.sock"):
        done = run(data, "coder")
    assert done.exit_code == 0, done.output
    for sentence in (*sentences(made_report()), OF_BUNDLE):
        assert sentence in done.stdout


def test_an_order_says_its_cost_and_is_followed_to_its_end(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SPEC 5.233"""
    monkeypatch.setattr("node.cli.model.POLL_SECONDS", 0.001)
    desk = Desk([status("queued"), status("running", "retraining 1 of 3", 4), status("done")])
    with listening(desk, data / "node.sock"):
        done = run(data, "coder", "--subsets", "7")
    assert done.exit_code == 0, done.output
    # Contributors that were left out already stay as many.
    assert desk.orders == [("coder", 7, 2)]
    assert "3 more retrainings, 60 row passes at most, about 60 s of the worker" in done.stderr
    assert "retraining 1 of 3: 4 of 9" in done.stderr and "validity-1" in done.stdout


def test_what_was_measured_already_is_not_ordered_again(data: Path) -> None:
    """SPEC 5.233"""
    desk = Desk([])
    with listening(desk, data / "node.sock"):
        done = run(data, "coder", "--subsets", "2", "--contributors", "1")
    assert done.exit_code == 0 and desk.orders == []
    assert "0 more retrainings" in done.stderr


def test_a_failed_job_and_an_unknown_model_are_said(data: Path) -> None:
    """SPEC 5.233"""
    with listening(Desk([status("failed", "job_cancelled: stopped")]), data / "node.sock"):
        failed = run(data, "coder", "--subsets", "9")
        unknown = run(data, "other")
    assert failed.exit_code != 0 and "job_cancelled: stopped" in failed.stderr
    assert unknown.exit_code != 0 and "no such model" in unknown.stderr


def test_without_a_node_it_says_how_to_start_one(data: Path) -> None:
    """SPEC 5.233"""
    done = run(data, "coder")
    assert done.exit_code != 0 and "openledger run" in done.stderr
