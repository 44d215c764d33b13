"""A node inside the test's own process, with the questions and steps that tests take again and again."""

import asyncio
from dataclasses import dataclass

from node.chain.keccak import keccak
from node.daemon import Core
from node.payments.vouchers import SignedVoucher
from node.pipeline import Admission, InferenceRequest
from node.serving.live import Finished
from node.store.receipts import StoredReceipt
from protocol.hashing import sha256
from protocol.parameters import BURN_ACCOUNT
from protocol.rewards import stakers_account
from protocol.sampling import Sampling
from tests.integration.ledger_world import MODEL, SETTINGS, LedgerWorld, Prepared


@dataclass
class Node:
    """The running node's parts, the world it runs in, and the API key that pays by default."""

    core: Core
    world: LedgerWorld
    prepared: Prepared

    def request(
        self,
        prompt: str,
        key: str | None = None,
        max_tokens: int = 12,
        voucher: SignedVoucher | None = None,
        max_price: int | None = None,
        retrieve: int = 0,
    ) -> InferenceRequest:
        return InferenceRequest(
            model=MODEL,
            messages=None,
            prompt=prompt,
            max_tokens=max_tokens,
            sampling=Sampling(temperature=0.0, seed=7),
            idempotency_key=key,
            body_digest=sha256(prompt.encode()),
            api_key=self.prepared.api_key if voucher is None else None,
            voucher=voucher,
            max_price=max_price,
            retrieve=retrieve,
        )

    async def answer(self, admission: Admission) -> tuple[str, Finished]:
        """The whole answer of an admitted request."""
        text, finished = "", None
        async for event in self.core.pipeline.stream(admission):
            if isinstance(event, Finished):
                finished = event
            else:
                text += event.text
        assert finished is not None
        return text, finished

    async def ask(self, request: InferenceRequest) -> tuple[str, Finished, StoredReceipt]:
        """One paid answer and its receipt."""
        admission = await self.core.pipeline.admit(request)
        text, finished = await self.answer(admission)
        receipt = await self.core.pipeline.settled(admission.request_id)
        assert receipt is not None
        return text, finished, receipt

    async def turn(self) -> bool:
        """One turn of the settlement; whether anything is left to do."""
        await asyncio.to_thread(self.core.clock.refresh)
        await asyncio.to_thread(self.core.settlement.step)
        return await asyncio.to_thread(self.core.settlement.open_work)

    async def settle_until_final(self, turns: int = 12) -> None:
        """Let epochs pass until everything claimed is final."""
        for _ in range(turns):
            if not await self.turn():
                return
            self.world.advance(SETTINGS.epoch_length)
        raise AssertionError(f"not settled after {turns} turns")

    async def claim_all(self) -> dict[str, int]:
        """Claim for every earner; wei by account. What is paid arrives, and is what was accrued and
        stated.
        """
        stakers = stakers_account(self.core.node, keccak)
        paid = {stakers: await asyncio.to_thread(self.core.claims.claim_for_stakers, self.core.node)}
        for earner in self.core.earnings.earners():
            if earner.account == stakers:
                continue
            before = self.world.balance(earner.account)
            paid[earner.account] = await asyncio.to_thread(self.core.claims.claim, earner.account)
            if earner.account != BURN_ACCOUNT:
                assert self.world.balance(earner.account) - before == paid[earner.account]
        return paid
