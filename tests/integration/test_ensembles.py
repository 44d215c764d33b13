"""A paid answer of an ensemble: one receipt of one model, its data's part split by the members' weights."""

from collections.abc import AsyncIterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from node.chain.keccak import keccak
from node.daemon import Daemon
from node.receipts.issuer import stored_receipt
from node.receipts.log import stored_report
from node.serving.model import ServedModel, Source
from protocol.attribution import Lane, attribution_root
from protocol.cid import cid_of_raw
from protocol.ensemble import UNITS_PER_PPM, ensemble_method
from protocol.lane_lists import Flaw, list_shares, units_flaw
from protocol.types import TOTAL_PPM
from tests.integration import worker_server
from tests.integration.ledger_world import FileCatalog, LedgerWorld, Prepared
from tests.integration.running_node import Node

WEIGHTS = (550_000, 300_000, 150_000)
MEMBERS = tuple(
    Source(cid_of_raw(b"adapter %d" % n).text, cid_of_raw(b"index %d" % n).text, ppm)
    for n, ppm in enumerate(WEIGHTS)
)


@pytest.fixture
async def node(world: LedgerWorld, prepared: Prepared, tmp_path: Path) -> AsyncIterator[Node]:
    """A node whose one model is an ensemble."""
    catalog = prepared.folder / "catalog.json"
    model = ServedModel.from_json(catalog.read_text())
    catalog.write_text(replace(model, index_cid=None, members=MEMBERS).to_json())
    socket = tmp_path / "worker.sock"
    runner = await worker_server.listen(socket, "a token")
    settings = world.settings(prepared.folder, socket, settlement_poll=3_600.0)
    daemon = Daemon(settings, lambda *_: FileCatalog(catalog))
    yield Node(await daemon.start(), world, prepared)
    await daemon.stop()
    await runner.cleanup()


def by_weight(prompt: tuple[int, ...], output: tuple[int, ...]) -> dict[int, Fraction]:
    """The part of the gradient lane that each row should get: every member's own shares, by its weight."""
    parts: dict[int, Fraction] = {}
    for source in MEMBERS:
        lane = worker_server.attribution(prompt, output, source.index_cid).lanes[0]
        whole = lane.unattributed + sum(units for _, units in lane.units)
        for row, units in lane.units:
            parts[row] = parts.get(row, Fraction(0)) + Fraction(source.ppm * units, TOTAL_PPM * whole)
    return parts


async def test_the_receipt_of_an_ensemble_binds_the_split_by_weight(node: Node) -> None:
    """SPEC 4.219: exact fractions as the naive reference; what a contract divides again is what is stated."""
    _, _, stored = await node.ask(node.request("one"))
    receipt, report = stored_receipt(stored), stored_report(stored)
    assert receipt.model_id == node.core.catalog.find(node.request("one").model).model_id
    assert receipt.method_id == report.method_id == ensemble_method(worker_server.METHOD)
    assert receipt.attribution_root == attribution_root(report, keccak)
    weights = node.core.parameters.current().lane_weights
    prompt = tuple(b"one")
    expected = by_weight(prompt, worker_server.output_ids(prompt, 7, 12))
    entries = {entry.row: entry.ppm for entry in report.entries if entry.lane is Lane.GRADIENT}
    assert entries.keys() == expected.keys()
    for row, ppm in entries.items():
        assert abs(ppm - expected[row] * weights[Lane.GRADIENT]) < 1 + Fraction(len(MEMBERS), UNITS_PER_PPM)
    assert units_flaw(report.lists.gradient) is Flaw.NONE
    *shares, (_, _, rest) = list_shares(report.lists, weights, receipt.output_tokens)
    assert shares == [(entry.lane, entry.row, entry.ppm) for entry in report.entries]
    assert rest == report.unattributed_ppm


async def test_every_wei_of_an_ensembles_answers_is_claimed(node: Node) -> None:
    """SPEC 4.219: statements, commitment and claims take it for what it is, a model."""
    prices = [(await node.ask(node.request(question)))[2].price for question in ("one", "two")]
    await node.settle_until_final()
    assert sum((await node.claim_all()).values()) == sum(prices)
