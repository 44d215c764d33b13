"""The daemon: one per data folder, refusing what it cannot trust, and stopping without a trace."""

import asyncio
import json
from pathlib import Path

import pytest

from node.daemon import Daemon
from node.errors import ChainUnreachable, ConfigError, OpenLedgerError, WrongChain
from node.service import Service
from tests.integration import worker_server
from tests.integration.ledger_world import FileCatalog, LedgerWorld, Prepared
from tests.integration.running_node import Node


def daemon(world: LedgerWorld, prepared: Prepared, socket: Path, **changes: object) -> Daemon:
    settings = world.settings(prepared.folder, socket, chain_wait=0.2, **changes)
    return Daemon(settings, lambda *_: FileCatalog(prepared.folder / "catalog.json"))


async def test_a_second_node_on_the_same_folder_refuses_and_harms_nobody(
    node: Node, prepared: Prepared, tmp_path: Path
) -> None:
    """SPEC 6.41: two signers over one database would both sign."""
    with pytest.raises(OpenLedgerError, match="in use"):
        await daemon(node.world, prepared, tmp_path / "worker.sock").start()
    await node.ask(node.request("still here"))


async def test_a_node_that_cannot_start_lets_go_of_its_folder(
    world: LedgerWorld, prepared: Prepared, tmp_path: Path
) -> None:
    """SPEC 6.40: after any failure to start, the next start finds everything as it was."""
    elsewhere = json.loads(world.deployment.read_text())
    wrong = tmp_path / "wrong.json"
    wrong.write_text(json.dumps({**elsewhere, "chainId": 1}))
    failures: tuple[tuple[dict[str, object], type[Exception]], ...] = (
        ({"chain_url": "http://127.0.0.1:9"}, ChainUnreachable),
        ({"deployment": tmp_path / "none.json"}, ConfigError),
        ({"deployment": wrong}, WrongChain),
    )
    for changes, kind in failures:
        with pytest.raises(kind):
            await daemon(world, prepared, tmp_path / "worker.sock", **changes).start()
    runner = await worker_server.listen(tmp_path / "worker.sock", "a token")
    right = daemon(world, prepared, tmp_path / "worker.sock")
    core = await right.start()
    assert await Node(core, world, prepared).ask(Node(core, world, prepared).request("now"))
    await right.stop()
    await right.stop()
    await runner.cleanup()


async def test_an_answer_of_a_stopped_node_gets_its_receipt_at_the_next_start(
    world: LedgerWorld, prepared: Prepared, tmp_path: Path
) -> None:
    """SPEC 5.42, 6.40: the worker went away between the answer and its attribution, then the node stopped."""
    socket = tmp_path / "worker.sock"
    first = daemon(world, prepared, socket)
    runner = await worker_server.listen(socket, "a token")
    before = Node(await first.start(), world, prepared)
    admission = await before.core.pipeline.admit(before.request("one", key="k"))
    text, finished = await before.answer(admission)
    await runner.cleanup()
    await first.stop()
    runner = await worker_server.listen(socket, "a token")
    second = daemon(world, prepared, socket)
    after = Node(await second.start(), world, prepared)
    assert (await after.ask(after.request("one", key="k")))[:2] == (text, finished)
    await second.stop()
    await runner.cleanup()


async def test_further_services_live_between_the_parts_and_the_stop(
    world: LedgerWorld, prepared: Prepared, tmp_path: Path
) -> None:
    """SPEC 6.40"""
    seen: list[str] = []

    class Witness:
        name = "witness"

        async def start(self) -> None:
            seen.append("start")

        async def stop(self) -> None:
            assert both.core is not None
            assert both.core.database.execute("SELECT 1").fetchone() is not None
            seen.append("stop")

    def services(_: object) -> list[Service]:
        return [Witness()]

    settings = world.settings(prepared.folder, tmp_path / "worker.sock")
    both = Daemon(settings, lambda *_: FileCatalog(prepared.folder / "catalog.json"), services)
    await both.start()
    await asyncio.sleep(0)
    await both.stop()
    assert seen == ["start", "stop"]
