"""The whole way, once, on few rows: real chain, contracts, node, worker and model; then the worker is killed.

The demo's own command makes the state; what follows starts the same node on it again.
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from openai import APIStatusError, AsyncOpenAI

from node.chain.rpc import connect
from node.config import load_config
from node.receipts.issuer import Issuer
from node.serving.worker_process import WorkerProcess
from protocol.hashing import from_hex
from scripts.conservation import measure
from scripts.demo_stages.console import Console
from scripts.demo_stages.devnet import start_chain
from scripts.demo_stages.machine import BASE, RunningNode, configuration, running_node, worker_ready
from scripts.demo_stages.models import NAME
from scripts.demo_stages.people import gather
from scripts.demo_stages.run import STAGES

ROOT = Path(__file__).resolve().parents[2]
DEMO_SECONDS = 1_200
# Where a paid answer may stand when the worker is killed, from the job to its receipt.
IN_PIPELINE = ("job.recorded", "generate.midstream", "result.persisted", "attribution.done")
IN_ISSUER = ("receipt.in_transaction", "receipt.digest_committed", "receipt.signed", "receipt.stored")

pytestmark = [
    pytest.mark.skipif(not BASE.exists(), reason="the base model is not converted; `make setup` does it"),
    pytest.mark.asyncio(loop_scope="module"),
]


@dataclass(frozen=True)
class Finished:
    """A demo that ended: its state folder and the object it printed."""

    state: Path
    result: dict[str, Any]


def demo(state: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "scripts/demo.py", "--small", "--json", "--port", "0", "--state", str(state)]
    # One tensor thread: two that fight with the other tests for a core are slower than one.
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=DEMO_SECONDS, env=environment, check=False
    )


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    state = tmp_path_factory.mktemp("demo")
    done = demo(state)
    assert done.returncode == 0, done.stderr[-4000:]
    return Finished(state, json.loads(done.stdout))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def node(finished: Finished) -> AsyncIterator[RunningNode]:
    devnet = start_chain(finished.state, "embedded")
    try:
        config = configuration(finished.state, devnet.url, 0)
        # A worker that dies eight times in a row is given longer and longer rests; here they may be short.
        config = replace(config, worker=replace(config.worker, restart_seconds=0.02))
        async with running_node(config, gather(config), Console(sys.stderr)) as running:
            yield running
    finally:
        devnet.stop()


async def test_every_stage_reports_a_number_it_computed(finished: Finished) -> None:
    """SPEC 0.82: the demo prints one object with a key for each stage."""
    result = finished.result
    assert set(STAGES) <= set(result)
    assert result["datanet"]["rows"] == sum(result["datanet"]["by_owner"].values())
    assert result["datanet"]["decisions"]["carol"]["rejected"] > 0
    assert result["datanet"]["gated_rows"] == result["datanet"]["by_owner"]["bob"]
    assert 0 < result["training"]["evaluation"]["specialist_mrr_ppm"] <= 1_000_000
    assert result["models"]["model_id"] > result["models"]["base_model_id"]
    assert {NAME, result["models"]["base_name"]} <= set(result["serving"]["models"])
    assert result["receipts"]["receipts"] >= result["attribution"]["questions"]
    assert int(result["settlement"]["total"]) == int(result["receipts"]["acknowledged"])
    assert sum(map(int, result["rewards"]["received"].values())) == int(result["settlement"]["total"])
    assert result["governance"]["version_after"] == result["governance"]["receipt_parameters_version"]
    assert result["governance"]["data_ppm_after"] > result["governance"]["data_ppm_before"]


async def test_a_copy_earns_nothing_and_shares_make_a_whole(finished: Finished) -> None:
    """SPEC 5.7, 8.80: near copies draw at most 1 ppm; every report sums to one million."""
    attribution = finished.result["attribution"]
    assert attribution["copier_ppm"] <= 1
    assert attribution["recomputed"]["agrees"] is True
    assert "carol" not in finished.result["rewards"]["received"]
    with_rows = attribution["with_rows"]
    assert 0 < len(with_rows["retrieved"]) <= 3
    assert {int(row) for row in with_rows["earned_ppm"]} <= set(with_rows["retrieved"])
    for answer in attribution["answers"]:
        assert sum(answer["shares"].values()) + answer["unattributed"] == 1_000_000


async def test_the_chain_conserves_the_supply(finished: Finished, node: RunningNode) -> None:
    """SPEC 8.80"""
    url = load_config(finished.state / "node.toml", {}).chain.rpc_url
    assert connect(url).chain_id == 31337
    found = measure(url, node.core.chain.deployment.address("OpenToken"))
    assert found.holds and found.burnt > 0


@pytest.mark.parametrize(
    "path", ["/", f"/models/{NAME}", "/earnings", "/governance", "/stake", "/v1/models", "/v1/status"]
)
async def test_the_site_of_a_restarted_node_stands(node: RunningNode, path: str) -> None:
    def fetch() -> tuple[int, bytes]:
        with urllib.request.urlopen(node.url + path, timeout=30) as response:
            return response.status, response.read()

    status, body = await asyncio.to_thread(fetch)
    assert status == 200 and len(body) > 100


async def test_a_restarted_node_becomes_healthy(node: RunningNode) -> None:
    """The health page is probed now and then, so that it may lag behind a worker that has just loaded."""

    def is_healthy() -> bool:
        try:
            with urllib.request.urlopen(f"{node.url}/health", timeout=30) as response:
                return bool(response.status == 200)
        except urllib.error.HTTPError as error:
            if error.code != 503:
                raise
            return False

    deadline = time.monotonic() + 60
    while not await asyncio.to_thread(is_healthy):
        assert time.monotonic() < deadline, "still not healthy after a minute"
        await asyncio.to_thread(time.sleep, 0.2)


def killed_once(node: RunningNode, monkeypatch: pytest.MonkeyPatch, point: str) -> list[int]:
    """Kills the worker when the paid answer first reaches `point`; returns the pids it killed."""
    process = next(one for one in node.daemon.services if isinstance(one, WorkerProcess))
    killed: list[int] = []

    def failpoint(name: str) -> None:
        if name == point and not killed and process.pid is not None:
            killed.append(process.pid)
            os.kill(process.pid, signal.SIGKILL)

    module = "node.pipeline.failpoint" if point in IN_PIPELINE else f"{Issuer.__module__}.failpoint"
    monkeypatch.setattr(module, failpoint)
    return killed


@pytest.mark.parametrize("point", [*IN_PIPELINE, *IN_ISSUER])
async def test_a_worker_killed_at_any_point_loses_and_doubles_nothing(
    finished: Finished, node: RunningNode, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    """SPEC 5.42, 6.40: one receipt for the request, its price owed once, whatever the worker did."""
    await worker_ready(node.core)
    before, owed_before = node.core.receipts.totals()
    killed = killed_once(node, monkeypatch, point)
    client = AsyncOpenAI(
        base_url=f"{node.url}/v1",
        api_key=(finished.state / "api-key").read_text(),
        max_retries=0,
        timeout=120,
    )
    question = finished.result["attribution"]["answers"][0]["question"]["prompt"]
    reply = await _until_served(node, client, question, f"killed-at-{point}")
    request_id = from_hex(reply.openledger["request_id"], 32)
    await node.core.pipeline.settled(request_id)
    await worker_ready(node.core)
    await node.core.pipeline.resume()
    stored = await node.core.pipeline.settled(request_id)
    assert killed, f"the answer never reached {point}"
    assert stored is not None and stored.signature is not None
    after, owed_after = node.core.receipts.totals()
    assert (after - before, owed_after - owed_before) == (1, stored.price)
    again = await _until_served(node, client, question, f"killed-at-{point}")
    assert again.choices[0].message.content == reply.choices[0].message.content
    assert node.core.receipts.totals() == (after, owed_after)


async def _until_served(node: RunningNode, client: AsyncOpenAI, question: str, key: str) -> Any:
    """Asks as a careful client does: again under the same key while the node says that it was not charged."""
    for _ in range(10):
        try:
            return await client.chat.completions.create(
                model=NAME,
                messages=[{"role": "user", "content": question}],
                max_tokens=8,
                temperature=0,
                extra_headers={"Idempotency-Key": key},
            )
        except APIStatusError as error:
            if error.status_code != 503:
                raise
            await worker_ready(node.core)
    raise AssertionError("never served")


async def test_a_second_run_goes_on_from_the_first(finished: Finished, node: RunningNode) -> None:
    """SPEC 0.80: what is on chain stays; journal entries of finished steps are not made again."""
    journal = json.loads((finished.state / "journal.json").read_text())
    assert journal["run"] == 2
    assert {"datanet", "training", "models", "channel"} <= set(journal)
    assert {f"1/{stage}" for stage in STAGES[3:]} <= set(journal)
