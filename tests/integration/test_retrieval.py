"""An answer with rows of the Datanet in its prompt: what is billed, bound, paid, and told to whom."""

from dataclasses import replace

import pytest

from node.api.answer_source import AnswerSource
from node.chain.keccak import keccak
from node.receipts.issuer import stored_receipt
from node.receipts.log import stored_ablations, stored_report, stored_retrieved
from node.serving.order import Order
from node.serving.retriever import NothingToRetrieve
from node.store.jobs import JobStore
from protocol.attribution import Lane, effective_weights
from protocol.context import segment
from protocol.pricing import Rates, price
from protocol.receipt import prompt_digest
from protocol.sampling import sampling_digest
from tests.integration import worker_server
from tests.integration.ledger_world import FIXED, IN_RATE, MODEL, OUT_RATE
from tests.integration.running_node import Node

RATES = Rates(IN_RATE, OUT_RATE, FIXED)


def order_of(node: Node, request_id: bytes) -> Order:
    return Order.from_json(JobStore(node.core.database).get(request_id).order_json)


async def test_rows_in_a_prompt_are_billed_bound_and_paid_for(node: Node) -> None:
    """SPEC 5.201, 5.204, 5.209"""
    request = node.request("which is letter 7", retrieve=3)
    admission = await node.core.pipeline.admit(request)
    text, finished = await node.answer(admission)
    stored = await node.core.pipeline.settled(admission.request_id)
    assert stored is not None
    order = order_of(node, admission.request_id)
    texts = [row.text for row in order.context]
    assert texts[0] == "letter 7 h" and len(texts) == 3
    assert admission.retrieved == tuple(row.row for row in order.context)
    prompt, context = worker_server.placed(None, "which is letter 7", order.context)
    assert context is not None and segment("letter 7 h").encode() in bytes(prompt)
    assert text == bytes(worker_server.output_ids(prompt, 7, 12)).decode()
    assert finished.price == price(len(prompt), 12, RATES) and finished.prompt_tokens == len(prompt)

    receipt, report, job = stored_receipt(stored), stored_report(stored), JobStore(node.core.database)
    salt = job.get(admission.request_id).prompt_salt
    digest = sampling_digest(order.sampling, order.max_tokens, keccak)
    assert receipt.prompt_digest == prompt_digest(prompt, digest, salt, keccak)
    weights = dict(effective_weights(node.core.parameters.current().lane_weights, with_retrieval=True))
    earned = {entry.row: entry.ppm for entry in report.entries if entry.lane is Lane.RETRIEVAL}
    assert set(earned) == {row for row in admission.retrieved if row}
    assert 0 < sum(earned.values()) <= weights[Lane.RETRIEVAL]
    gradient = sum(entry.ppm for entry in report.entries if entry.lane is Lane.GRADIENT)
    assert gradient <= weights[Lane.GRADIENT] == 500_000
    shown = stored_retrieved(stored)
    assert [(one.row, one.start, one.end) for one in shown] == [
        (one.row, one.start, one.end) for one in context.rows
    ]
    assert [one.added for one in shown] == [10**6 * one.row for one in shown]
    assert len(stored_ablations(stored)) == 1


async def test_a_repeated_key_is_the_same_rows_and_one_charge(node: Node) -> None:
    """SPEC 5.215"""
    request = node.request("letter 3", key="k", retrieve=2)
    assert await node.ask(request) == await node.ask(request)


async def test_a_question_that_finds_no_row_is_answered_as_any_other(node: Node) -> None:
    """SPEC 5.201: without the lane, under the weights without it."""
    _, finished, stored = await node.ask(node.request("zzz", retrieve=4))
    assert finished.prompt_tokens == len("zzz")
    assert stored_retrieved(stored) == () and stored_report(stored).lists.retrieval == ()


async def test_a_row_withdrawn_on_chain_stands_in_no_prompt(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SPEC 5.202"""
    admission = await node.core.pipeline.admit(node.request("letter 5", retrieve=1))
    (first,) = admission.retrieved
    model = node.core.catalog.find(MODEL)
    assert model.manifest_cid is not None
    digest = node.core.versions.manifest(model.manifest_cid).rows[first].digest
    gone = {bytes.fromhex(digest[2:])}
    retriever = node.core.pipeline._retriever
    monkeypatch.setattr(retriever, "_is_revoked", lambda _, row: row in gone)
    assert first not in [row.row for row in retriever.find(model, "letter 5", 8)]


async def test_a_model_without_a_datanet_is_refused_and_nothing_is_recorded(node: Node) -> None:
    """SPEC 5.215"""
    bare = replace(node.core.catalog.find(MODEL), manifest_cid=None)
    with pytest.raises(NothingToRetrieve):
        node.core.pipeline._retriever.find(bare, "letter", 1)
    assert JobStore(node.core.database).counts() == {}


async def test_which_rows_a_question_found_is_for_those_who_may_read_it(node: Node) -> None:
    """SPEC 5.216"""
    admission = await node.core.pipeline.admit(node.request("letter 9", retrieve=2))
    await node.answer(admission)
    await node.core.pipeline.settled(admission.request_id)
    core = node.core
    source = AnswerSource(
        core.database, core.blobs, core.versions, core.parameters, core.sessions,
        node.world.receipts_domain, lambda *_: True, core.attributor.waiting, publish_texts=False,
    )  # fmt: skip
    record = source.find(admission.request_id)
    assert record is not None
    assert tuple(one.row for one in record.retrieved) == admission.retrieved
    assert {one.row for one in record.retrieved} <= {row.index for row in record.rows}
    assert all(check.holds for check in source.verify(admission.request_id))
