"""One paid answer after another on real contracts: where every wei goes, from a deposit to the last claim."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from node.chain.keccak import keccak
from node.daemon import Core, Daemon
from node.pipeline import InferenceRequest
from node.serving.live import Finished
from node.store.receipts import StoredReceipt
from protocol.hashing import sha256
from protocol.rewards import stakers_account
from tests.integration import worker_server
from tests.integration.ledger_world import MODEL, SETTINGS, FileCatalog, LedgerWorld, Prepared


@dataclass
class Node:
    core: Core
    world: LedgerWorld
    prepared: Prepared

    def request(self, prompt: str, key: str | None = None, max_tokens: int = 12) -> InferenceRequest:
        return InferenceRequest(
            model=MODEL,
            messages=None,
            prompt=prompt,
            max_tokens=max_tokens,
            temperature=0.0,
            top_p=1.0,
            seed=7,
            stop=(),
            idempotency_key=key,
            body_digest=sha256(prompt.encode()),
            api_key=self.prepared.api_key,
            voucher=None,
        )

    async def ask(self, request: InferenceRequest) -> tuple[str, Finished, StoredReceipt]:
        admission = await self.core.pipeline.admit(request)
        text = ""
        async for event in self.core.pipeline.stream(admission):
            if isinstance(event, Finished):
                finished = event
            else:
                text += event.text
        receipt = await self.core.pipeline.settled(admission.request_id)
        assert receipt is not None
        return text, finished, receipt

    async def settle_until_final(self, epochs: int = 6) -> None:
        """Let epochs pass, and let the node take its turns, until everything claimed is final."""
        for _ in range(epochs):
            await asyncio.to_thread(self.core.clock.refresh)
            await asyncio.to_thread(self.core.settlement.step)
            commitments = await asyncio.to_thread(self.core.settlement.open_work)
            if not commitments:
                return
            self.world.advance(SETTINGS.epoch_length)
        raise AssertionError(f"not settled after {epochs} epochs")


@pytest.fixture
async def node(world: LedgerWorld, prepared: Prepared, tmp_path: Path) -> AsyncIterator[Node]:
    socket = tmp_path / "worker.sock"
    runner = await worker_server.listen(socket, "a token")
    settings = world.settings(prepared.folder, socket, settlement_poll=3_600.0)
    daemon = Daemon(settings, lambda *_: FileCatalog(prepared.folder / "catalog.json"))
    yield Node(await daemon.start(), world, prepared)
    await daemon.stop()
    await runner.cleanup()


async def test_every_wei_of_a_deposit_is_claimed_by_who_earned_it_or_still_there(node: Node) -> None:
    """SPEC 7.40, 8.40: what the payer paid is what earners, stakers, burn and treasury got, to the wei."""
    world, prices = node.world, []
    for question in ("one", "two", "three"):
        _, finished, receipt = await node.ask(node.request(question))
        assert finished.price == receipt.price
        prices.append(receipt.price)
    await node.settle_until_final()
    channel = world.contract("PaymentChannels").functions.getChannel(node.prepared.channel_id).call()
    assert channel[4] == sum(prices)
    assert await _claim_all(node) == sum(prices)
    assert world.balance(world.contract("RewardDistributor").address) == 0


async def _claim_all(node: Node) -> int:
    world, core = node.world, node.core
    stakers = stakers_account(core.node, keccak)
    claimed = await asyncio.to_thread(core.claims.claim_for_stakers, core.node)
    for earner in core.earnings.earners():
        if earner.account == stakers:
            continue
        before = world.balance(earner.account)
        paid = await asyncio.to_thread(core.claims.claim, earner.account)
        claimed += paid
        if earner.account != "0x000000000000000000000000000000000000dead":
            assert world.balance(earner.account) - before == paid
        assert paid == earner.accrued == earner.stated
    return claimed
