"""The main flow as a client meets it: admitted or refused, answered once, charged once."""

import asyncio
from dataclasses import replace

import pytest

from node.errors import ChainReverted, NotFound
from node.payments.credit import ChannelIsClosing, NotEnoughCredit, PriceAboveCap
from node.payments.session import Unauthenticated
from node.payments.vouchers import (
    SignedVoucher,
    VoucherMismatch,
    VoucherNotAuthorised,
    VoucherReused,
)
from node.receipts.issuer import stored_receipt
from node.serving.answer import AnswerRefused
from node.serving.model import ServedModel
from node.serving.provenance import ManifestNotPublished, Provenance
from node.store.jobs import IdempotencyConflict, JobStore
from node.store.receipts import ReceiptStore
from protocol.cid import cid_of_raw
from protocol.pricing import Rates, price
from protocol.receipt import Voucher
from protocol.types import version_key
from tests.integration import worker_server
from tests.integration.ledger_world import DEPOSIT, FIXED, IN_RATE, MODEL, OUT_RATE, SETTINGS
from tests.integration.running_node import Node

RATES = Rates(IN_RATE, OUT_RATE, FIXED)


async def test_an_answer_is_streamed_priced_and_receipted(node: Node) -> None:
    """SPEC 6.40, 6.42, 4.33"""
    cumulative = 0
    for seq, question in enumerate(("one", "four", "seven"), start=1):
        text, finished, stored = await node.ask(node.request(question))
        prompt = tuple(question.encode())
        assert text == bytes(worker_server.output_ids(prompt, 7, 12)).decode()
        assert finished.price == price(len(prompt), 12, RATES)
        receipt = stored_receipt(stored)
        cumulative += finished.price
        assert (receipt.seq, receipt.price, receipt.cumulative) == (seq, finished.price, cumulative)
        assert (receipt.prompt_tokens, receipt.output_tokens) == (len(prompt), 12)


async def test_the_receipt_of_auto_names_the_model_that_was_taken(node: Node) -> None:
    """SPEC 4.166"""
    request = replace(node.request("which", key="k"), model="auto")
    admissions = [await node.core.pipeline.admit(request) for _ in range(2)]
    assert admissions[0] == admissions[1]
    assert (admissions[0].model, admissions[0].chosen) == (MODEL, "asked 'which'")
    await node.answer(admissions[0])
    stored = await node.core.pipeline.settled(admissions[0].request_id)
    assert stored is not None
    model = node.core.catalog.find(MODEL)
    assert stored_receipt(stored).model_id == model.model_id
    assert stored_receipt(stored).price == price(len("which"), 12, RATES)


async def test_repeating_a_key_returns_the_answer_and_charges_nothing_more(node: Node) -> None:
    """SPEC 6.43"""
    first = await node.ask(node.request("one", key="k"))
    second = await node.ask(node.request("one", key="k"))
    assert second == first
    assert ReceiptStore(node.core.database).totals() == (1, first[1].price)
    with pytest.raises(IdempotencyConflict):
        await node.core.pipeline.admit(node.request("two", key="k"))


async def test_many_readers_of_one_request_pay_once(node: Node) -> None:
    """SPEC 4.34, 6.43: a client that repeats itself while the answer is made joins it."""
    request = node.request("together", key="k", max_tokens=64)
    admissions = [await node.core.pipeline.admit(request) for _ in range(3)]
    answers = await asyncio.gather(*(node.answer(admission) for admission in admissions))
    assert answers[0] == answers[1] == answers[2]
    await node.core.pipeline.settled(admissions[0].request_id)
    assert ReceiptStore(node.core.database).totals()[0] == 1


async def test_a_client_that_repeats_itself_at_once_joins_its_own_request(node: Node) -> None:
    """SPEC 6.43, 6.45"""
    request = node.request("twice at once", key="k")
    admissions = await asyncio.gather(*(node.core.pipeline.admit(request) for _ in range(5)))
    answers = await asyncio.gather(*(node.answer(admission) for admission in admissions))
    assert len({text for text, _ in answers}) == 1
    await node.core.pipeline.settled(admissions[0].request_id)
    assert JobStore(node.core.database).counts() == {"receipted": 1}


async def test_a_stored_answer_is_for_its_payer_only(node: Node) -> None:
    """SPEC 6.43, 6.46: knowing a channel, a key and a body opens no one else's answer."""
    voucher = signed(node, node.core.vouchers.next(node.world.open_channel(salt=5)))
    await node.ask(node.request("private", key="k", voucher=voucher))
    stranger = node.world.signer("stranger").sign_voucher(voucher.voucher, node.world.channels_domain)
    with pytest.raises(VoucherNotAuthorised):
        await node.core.pipeline.admit(
            node.request("private", key="k", voucher=SignedVoucher(voucher.voucher, stranger))
        )


async def test_a_client_that_leaves_is_charged_and_finds_its_answer(node: Node) -> None:
    """SPEC 4.34, 6.43"""
    request = node.request("stay", key="k", max_tokens=64)
    admission = await node.core.pipeline.admit(request)
    stream = node.core.pipeline.stream(admission)
    await anext(stream)
    await stream.aclose()
    receipt = await node.core.pipeline.settled(admission.request_id)
    text, finished, again = await node.ask(request)
    assert again == receipt
    assert len(text) == finished.output_tokens == 64


async def test_requests_that_arrive_together_are_never_promised_the_same_wei(node: Node) -> None:
    """SPEC 6.45, 6.44: as many are admitted as the deposit carries, and not one more."""
    worst = price(3, 1_024, RATES)
    requests = [node.request(f"q{number:02}", max_tokens=1_024) for number in range(DEPOSIT // worst + 4)]
    results = await asyncio.gather(
        *(node.core.pipeline.admit(request) for request in requests), return_exceptions=True
    )
    refused = [one for one in results if isinstance(one, BaseException)]
    assert len(results) - len(refused) == DEPOSIT // worst
    assert all(isinstance(one, NotEnoughCredit) for one in refused)


async def test_a_deposit_made_a_moment_ago_counts(node: Node) -> None:
    """SPEC 6.44: what a cached channel would refuse is read again."""
    worst = price(3, 1_024, RATES)
    for number in range(DEPOSIT // worst):
        await node.core.pipeline.admit(node.request(f"a{number:02}", max_tokens=1_024))
    with pytest.raises(NotEnoughCredit):
        await node.core.pipeline.admit(node.request("b00", max_tokens=1_024))
    node.world.deposit(node.prepared.channel_id, DEPOSIT)
    node.world.authorise(
        node.prepared.channel_id, node.core.sessions.all()[0].signer, 2 * DEPOSIT, 40 * 86_400
    )
    await node.core.pipeline.admit(node.request("b00", max_tokens=1_024))


async def test_nothing_is_worked_for_or_kept_when_a_request_is_refused(node: Node) -> None:
    """SPEC 6.51, 6.48, 6.44"""
    pipeline, jobs = node.core.pipeline, JobStore(node.core.database)
    with pytest.raises(PriceAboveCap):
        await pipeline.admit(node.request("one", max_price=1))
    with pytest.raises(Unauthenticated):
        await pipeline.admit(replace(node.request("one"), api_key=None))
    with pytest.raises(Unauthenticated):
        await pipeline.admit(replace(node.request("one"), api_key="ol_sk_guess"))
    node.core.sessions.revoke(node.core.sessions.all()[0].session_id, now=1)
    with pytest.raises(Unauthenticated):
        await pipeline.admit(node.request("one"))
    assert jobs.counts() == {}


async def test_a_key_without_authority_on_chain_opens_nothing(node: Node) -> None:
    """SPEC 6.49, 6.48"""
    api_key, _ = node.core.sessions.create(node.prepared.channel_id, 1)
    with pytest.raises(VoucherNotAuthorised):
        await node.core.pipeline.admit(replace(node.request("one"), api_key=api_key))


async def test_a_key_never_signs_past_its_cap(node: Node) -> None:
    """SPEC 6.49"""
    api_key, session = node.core.sessions.create(node.prepared.channel_id, 1)
    worst = price(3, 12, RATES)
    node.world.authorise(node.prepared.channel_id, session.signer, 2 * worst + worst // 2)
    served = 0
    for number in range(4):
        request = replace(node.request(f"q{number:02}"), api_key=api_key)
        try:
            await node.ask(request)
        except NotEnoughCredit:
            break
        served += 1
    assert served == 2
    best = node.core.vouchers.best(node.prepared.channel_id)
    assert best is not None
    assert (best.signer, best.cumulative) == (session.signer, 2 * worst)


async def test_a_key_signs_for_its_own_receipts_once_its_cap_allows(node: Node) -> None:
    """SPEC 6.49: what was served under a cap that shrank meanwhile is signed for after the wallet raises
    it.
    """
    api_key, session = node.core.sessions.create(node.prepared.channel_id, 1)
    worst = price(3, 12, RATES)
    node.world.authorise(node.prepared.channel_id, session.signer, worst)
    await node.ask(replace(node.request("q00"), api_key=api_key))
    other = await node.ask(node.request("q01"))
    assert node.core.channels.unacknowledged_sessions() == ()
    node.core.database.execute("DELETE FROM vouchers")
    owed = {session.session_id, node.core.sessions.authenticate(node.prepared.api_key).session_id}
    assert set(node.core.channels.unacknowledged_sessions()) == owed
    await asyncio.to_thread(node.core.vouchers.sign_outstanding)
    best = node.core.vouchers.best(node.prepared.channel_id)
    assert best is not None
    assert best.cumulative == stored_receipt(other[2]).cumulative > worst
    assert best.signer != session.signer
    assert node.core.channels.unacknowledged_sessions() == ()


async def test_a_channel_that_closes_opens_no_request(node: Node) -> None:
    """SPEC 6.44"""
    node.world.send(
        "payer", node.world.contract("PaymentChannels").functions.requestWithdraw(node.prepared.channel_id)
    )
    node.core.channels.refresh(node.prepared.channel_id)
    with pytest.raises(ChannelIsClosing):
        await node.core.pipeline.admit(node.request("one"))


async def test_a_payer_that_signs_itself_pays_for_one_request_with_the_next(node: Node) -> None:
    """SPEC 6.46, 6.47"""
    channel = node.world.open_channel(salt=5)
    prices = []
    for question in ("one", "two", "three"):
        voucher = signed(node, node.core.vouchers.next(channel))
        _, finished, _ = await node.ask(node.request(question, voucher=voucher))
        prices.append(finished.price)
    best = node.core.vouchers.best(channel)
    assert best is not None
    assert (best.cumulative, best.receipt_count) == (sum(prices[:2]), 2)
    closing = signed(node, node.core.vouchers.next(channel))
    node.core.vouchers.accept(closing, node.core.channels.channel(channel))
    await node.settle_until_final()
    assert node.world.contract("PaymentChannels").functions.getChannel(channel).call()[4] == sum(prices)


async def test_a_voucher_opens_one_request_only(node: Node) -> None:
    """SPEC 6.47: and the same request again."""
    voucher = signed(node, node.core.vouchers.next(node.world.open_channel(salt=5)))
    first = await node.ask(node.request("one", key="k", voucher=voucher))
    assert await node.ask(node.request("one", key="k", voucher=voucher)) == first
    with pytest.raises((VoucherReused, VoucherMismatch)):
        await node.core.pipeline.admit(node.request("two", key="other", voucher=voucher))


async def test_a_payer_that_stops_signing_is_served_no_further_than_the_node_will_lose(node: Node) -> None:
    """SPEC 6.44"""
    channel = node.world.open_channel(salt=5)
    blank = Voucher(channel, 0, 0, b"\0" * 32, 2**40)
    served = 0
    for number in range(100):
        voucher = signed(node, replace(blank, valid_before=2**40 + number))
        try:
            _, finished, _ = await node.ask(node.request(f"q{number:02}", voucher=voucher))
        except NotEnoughCredit:
            break
        served += finished.price
    assert 0 < served <= node.core.settings.willing_to_lose < served + price(3, 12, RATES)


async def test_a_strangers_voucher_opens_nothing(node: Node) -> None:
    """SPEC 6.46"""
    channel = node.world.open_channel(salt=5)
    voucher = node.core.vouchers.next(channel)
    forged = SignedVoucher(
        voucher, node.world.signer("stranger").sign_voucher(voucher, node.world.channels_domain)
    )
    with pytest.raises(VoucherNotAuthorised):
        await node.core.pipeline.admit(node.request("one", voucher=forged))
    unknown = replace(voucher, channel_id=b"\7" * 32)
    with pytest.raises(NotFound):
        await node.core.pipeline.admit(node.request("one", voucher=signed(node, unknown)))


async def test_a_generation_that_fails_costs_nothing_and_may_be_asked_again(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SPEC 4.32"""
    event = worker_server.TokenEvent
    request = node.request("one", key="k")
    with monkeypatch.context() as lying:
        # The worker streams other tokens than those of its result.
        lying.setattr(worker_server, "TokenEvent", lambda index, token, text: event(index, token + 1, text))
        admission = await node.core.pipeline.admit(request)
        with pytest.raises(AnswerRefused):
            await node.answer(admission)
        await asyncio.sleep(0)
    assert JobStore(node.core.database).counts() == {"abandoned": 1}
    assert JobStore(node.core.database).reserved(node.prepared.channel_id) == 0
    _, _, receipt = await node.ask(request)
    assert receipt.seq == 1


async def test_a_model_that_pays_by_a_manifest_of_its_own_is_not_served(node: Node) -> None:
    """SPEC 4.38: its owner could otherwise name itself the owner of every row."""
    path = node.prepared.folder / "catalog.json"
    right = ServedModel.from_json(path.read_text())
    forged = cid_of_raw(b"rows of my own").text
    for wrong in (
        replace(right, manifest_cid=forged),
        replace(right, manifest_cid=None),
        replace(right, datanet_version_key=0),
    ):
        with pytest.raises(ManifestNotPublished):
            Provenance(node.core.chain).check(wrong)
    with pytest.raises(ChainReverted):
        Provenance(node.core.chain).check(replace(right, datanet_version_key=version_key(1, 2)))
    Provenance(node.core.chain).check(right)
    Provenance(node.core.chain).check(replace(right, datanet_version_key=0, manifest_cid=None))


async def test_settlement_waits_for_the_end_of_the_epoch_where_it_may(node: Node) -> None:
    """SPEC 7.43"""
    assert node.core.settings.claim_lead == SETTINGS.epoch_length
    await node.ask(node.request("one"))
    claimed = node.world.contract("PaymentChannels").functions.getChannel(node.prepared.channel_id)
    assert claimed.call()[4] == 0
    await node.turn()
    assert claimed.call()[4] > 0


def signed(node: Node, voucher: Voucher) -> SignedVoucher:
    return SignedVoucher(
        voucher, node.world.signer("payer").sign_voucher(voucher, node.world.channels_domain)
    )
