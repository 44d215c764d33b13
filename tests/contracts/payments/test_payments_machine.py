"""Channels and gateway under any calls in any order, good and bad, beside a model that predicts each outcome.

Phases alternate: in one the callers behave, in the next they try anything. After every step the contracts
hold exactly what the model says, donations aside, and no getter reverts.
"""

from collections import Counter
from collections.abc import Callable
from random import Random

import pytest
from web3.contract.contract import ContractFunction

from node.chain.keccak import keccak
from protocol.receipt import Channel, Voucher, channel_id, solidity_tuple
from scripts.deployment_plan import OPEN
from tests.contracts.asking import DURATION, PROMPT, Asked, asked_by, prepare
from tests.contracts.channel import call_tuple
from tests.contracts.payments.payments_machine import MIN_DELAY, Purse, Question
from tests.contracts.payments.test_authorizations import opened_by
from tests.contracts.permit import permit_of
from tests.contracts.world import Mined, World, attempt

PAYERS, NODES = ("payer", "staker"), ("node", "other_node")
SENDERS = (*PAYERS, *NODES, "stranger")
FOREVER = 2**64 - 1
STEPS, PHASE = 180, 15


class Payments:
    """The contracts and the model, driven side by side."""

    def __init__(self, world: World, random: Random) -> None:
        self.world = world
        self.random = random
        self.behave = True
        self.purses: list[Purse] = []
        self.questions: list[tuple[Asked, Question]] = []
        self.done: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.donated = {"channels": 0, "gateway": 0}
        self.fees = dict.fromkeys(NODES, 0)
        for node in NODES:
            world.stake(node, 10**6 * OPEN)
        for payer in PAYERS:
            world.fund(payer, 10**6, world.channels)
            world.send(world.token.functions.approve(world.gateway.address, 2**256 - 1), payer)
        self.model = prepare(world)
        self.open()

    def pick(self, *choices: str) -> str:
        """The first while everyone behaves, else any."""
        return choices[0] if self.behave else self.random.choice(choices)

    def attempt(
        self, rule: str, call: ContractFunction, sender: str, expected: str, now: int
    ) -> Mined | None:
        """Sends the call; its outcome must be the model's."""
        mined, refusal = attempt(lambda: self.world.send(call, sender, now))
        assert refusal == expected, (rule, refusal, expected)
        (self.refused if refusal else self.done)[rule] += 1
        return mined

    def next_time(self) -> int:
        return self.world.now + self.random.randint(1, 40)

    def open(self) -> None:
        """In any of three ways; a way that fails leaves nothing."""
        way = self.random.choice(("open", "openWithPermit", "openWithAuthorization"))
        payer, payee = self.random.choice(PAYERS), self.random.choice(NODES)
        salt = bytes([self.random.randint(0, 3) if not self.behave else len(self.purses)]) * 32
        amount = self.random.randint(1, 3_000) if self.behave else self.random.randint(0, 2)
        purse = Purse(payer, payee, salt, deposited=amount)
        terms = Channel(self.world.plain(payer), self.world.plain(payee), MIN_DELAY, salt)
        purse.id = channel_id(terms, self.world.channels_domain, keccak)
        sender = payer if way == "openWithAuthorization" else self.pick(payer, *SENDERS)
        expected = "" if sender == payer else "PaymentChannelsNotPayer"
        if not expected and any(purse.id == other.id for other in self.purses):
            expected = "PaymentChannelsAlreadyOpen"
        expected = expected or ("" if amount else "PaymentChannelsZeroAmount")
        call = self.opening(way, terms, payer, amount)
        if self.attempt(way, call, sender, expected, self.next_time()):
            self.purses.append(purse)

    def opening(self, way: str, terms: Channel, payer: str, amount: int) -> ContractFunction:
        arguments = [call_tuple(terms), amount]
        if way == "openWithPermit":
            spender = self.world.channels.address
            arguments += [FOREVER, *permit_of(self.world, payer, spender, 2**256 - 1, FOREVER)]
            arguments[1] = amount
        if way == "openWithAuthorization":
            made = opened_by(self.world, terms, amount, source=self.world.address(payer))
            arguments += [made.valid_after, made.valid_before, made.sign(payer)]
        return self.world.channels.functions[way](*arguments)

    def deposit(self) -> None:
        purse, sender = self.random.choice(self.purses), self.random.choice(PAYERS)
        amount = self.random.randint(0 if not self.behave else 1, 800)
        call = self.world.channels.functions.deposit(purse.id, amount)
        expected = "" if amount else "PaymentChannelsZeroAmount"
        if self.attempt("deposit", call, sender, expected, self.next_time()):
            purse.deposited += amount

    def voucher(self, purse: Purse, now: int) -> tuple[Voucher, str]:
        """A voucher that raises what is claimed while everyone behaves, or any; and who signs it."""
        low = purse.claimed + 1 if self.behave else 0
        cumulative = self.random.randint(low, low + 900)
        end = FOREVER if self.behave else self.random.choice((FOREVER, now, now + 1))
        signer = self.pick(purse.payer, "hot_signer", "stranger", purse.payer)
        if self.behave and purse.signers.get("hot_signer", (0, 0)) > (cumulative, 0):
            signer = "hot_signer" if now < purse.signers["hot_signer"][1] else purse.payer
        return Voucher(purse.id, cumulative, 1, keccak(b"receipts"), end), signer

    def claim(self) -> None:
        purse, now = self.random.choice(self.purses), self.next_time()
        voucher, signer = self.voucher(purse, now)
        sender = self.pick(purse.payee, *SENDERS)
        expected = purse.refuses_claim(signer, sender, voucher.cumulative, voucher.valid_before, now)
        if not expected and not purse.covers(voucher.cumulative):
            expected = "PaymentChannelsNothingToClaim"
        signature = self.world.signers[signer].sign_voucher(voucher, self.world.channels_domain)
        call = self.world.channels.functions.claim(solidity_tuple(voucher), signature)
        if self.attempt("claim", call, sender, expected, now):
            self.fees[purse.payee] += purse.take(voucher.cumulative)

    def claim_many(self) -> None:
        node, now = self.random.choice(NODES), self.next_time()
        ours = [purse for purse in self.purses if purse.payee == node or not self.behave]
        chosen = self.random.sample(ours, min(len(ours), 3))
        signed = [self.voucher(purse, now) for purse in chosen]
        expected = ""
        for place, (purse, (voucher, signer)) in enumerate(zip(chosen, signed, strict=True)):
            if purse.payee != node:
                expected = "PaymentChannelsOtherPayee" if place else "PaymentChannelsNotPayee"
            else:
                expected = purse.refuses_voucher(signer, voucher.cumulative, voucher.valid_before, now)
            if expected:
                break
        signatures = [
            self.world.signers[signer].sign_voucher(voucher, self.world.channels_domain)
            for voucher, signer in signed
        ]
        vouchers = [solidity_tuple(voucher) for voucher, _ in signed]
        call = self.world.channels.functions.claimMany(vouchers, signatures)
        if self.attempt("claimMany", call, node, expected, now):
            self.fees[node] += sum(
                purse.take(voucher.cumulative) for purse, (voucher, _) in zip(chosen, signed, strict=True)
            )

    def authorize(self) -> None:
        purse, now = self.random.choice(self.purses), self.next_time()
        cap, expiry = purse.signers.get("hot_signer", (0, 0)) if self.behave else (0, 0)
        cap += self.random.randint(1, 900)
        expiry = max(expiry, now) + self.random.randint(0 if not self.behave else 1, 200)
        sender = self.pick(purse.payer, *SENDERS)
        expected = purse.refuses_signer(sender, "hot_signer", cap, expiry, now)
        signer = self.world.address("hot_signer")
        call = self.world.channels.functions.authorizeSigner(purse.id, signer, cap, expiry)
        if self.attempt("authorizeSigner", call, sender, expected, now):
            purse.signers["hot_signer"] = cap, expiry

    def revoke(self) -> None:
        purse, now = self.random.choice(self.purses), self.next_time()
        expected = "" if "hot_signer" in purse.signers else "PaymentChannelsUnknownSigner"
        call = self.world.channels.functions.revokeSigner(purse.id, self.world.address("hot_signer"))
        if self.attempt("revokeSigner", call, purse.payer, expected, now):
            cap, expiry = purse.signers["hot_signer"]
            purse.signers["hot_signer"] = cap, min(expiry, now + purse.delay)

    def request_withdraw(self) -> None:
        purse, now = self.random.choice(self.purses), self.next_time()
        expected = "PaymentChannelsWithdrawPending" if purse.ready_at else ""
        call = self.world.channels.functions.requestWithdraw(purse.id)
        if self.attempt("requestWithdraw", call, purse.payer, expected, now):
            purse.ready_at = now + purse.delay

    def withdraw(self) -> None:
        waiting = [purse for purse in self.purses if purse.ready_at]
        if self.behave and not waiting:
            return
        purse = self.random.choice(waiting if self.behave else self.purses)
        now = max(self.next_time(), purse.ready_at if self.behave else 0)
        sender = self.pick(purse.payer, *SENDERS)
        call = self.world.channels.functions.withdraw(purse.id)
        before = self.world.balance(sender)
        if self.attempt("withdraw", call, sender, purse.refuses_withdraw(sender, now), now):
            assert self.world.balance(sender) - before == purse.withdraw()

    def ask(self) -> None:
        requester, highest, now = self.random.choice(PAYERS), self.random.randint(1, 500), self.next_time()
        deadline = now + (DURATION if self.behave else self.random.randint(0, 2))
        arguments = (self.world.address("node"), self.model, PROMPT, highest, deadline, 0)
        call = self.world.gateway.functions.request(*arguments)
        expected = "" if now < deadline else "InferenceGatewayDeadlineOutOfBounds"
        if mined := self.attempt("request", call, requester, expected, now):
            asked = asked_by(self.world, mined, self.model)
            self.questions.append((asked, Question(requester, highest, deadline)))

    def question(self, after: int) -> tuple[Asked, Question] | None:
        """One that can still be answered or refunded `after` then, or any."""
        open_ones = [
            pair for pair in self.questions if pair[1].state == "pending" and after < pair[1].deadline
        ]
        found = open_ones if self.behave else self.questions
        return self.random.choice(found) if found else None

    def answer(self) -> None:
        now = self.next_time()
        if (found := self.question(after=now)) is None:
            return
        asked, question = found
        price = self.random.randint(0, question.highest + (not self.behave))
        sender = self.pick("node", *SENDERS)
        call = asked.answer(asked.receipt(price))
        before = self.world.balance(question.requester)
        if self.attempt("fulfil", call, sender, question.refuses_answer(sender, price, now), now):
            question.state = "fulfilled"
            self.fees["node"] += price
            assert self.world.balance(question.requester) - before == question.highest - price

    def refund(self) -> None:
        if (found := self.question(after=0)) is None:
            return
        asked, question = found
        now = max(self.next_time(), question.deadline if self.behave else 0)
        call = self.world.gateway.functions.refund(asked.id)
        if self.attempt("refund", call, self.random.choice(SENDERS), question.refuses_refund(now), now):
            question.state = "refunded"

    def donate(self) -> None:
        """Money that nobody asked for belongs to nobody and changes nothing."""
        name = self.random.choice(("channels", "gateway"))
        amount = self.random.randint(1, 50)
        to = getattr(self.world, name).address
        self.world.send(self.world.token.functions.transfer(to, amount), "payer")
        self.donated[name] += amount

    def check(self) -> None:
        held = sum(purse.deposited - purse.claimed for purse in self.purses)
        assert self.world.balance(self.world.channels.address) == held + self.donated["channels"]
        escrow = sum(question.highest for _, question in self.questions if question.state == "pending")
        assert self.world.balance(self.world.gateway.address) == escrow + self.donated["gateway"]
        assert self.world.balance(self.world.distributor.address) == sum(self.fees.values())
        purse = self.random.choice(self.purses)
        found = self.world.channels.functions.getChannel(purse.id).call()
        assert found[3:] == [purse.deposited, purse.claimed, purse.ready_at]
        assert purse.claimed <= min(purse.deposited, purse.highest_signed)

    def wind_down(self) -> None:
        """Everyone can leave: every channel's rest and every open request comes back."""
        self.world.pass_to(self.world.now + DURATION + 1)
        for asked, question in self.questions:
            if question.state == "pending":
                asked.refund()
                question.state = "refunded"
        for purse in self.purses:
            if not purse.ready_at:
                requested = self.world.channels.functions.requestWithdraw(purse.id)
                purse.ready_at = self.world.send(requested, purse.payer).time + purse.delay
        self.world.pass_to(self.world.now + MIN_DELAY)
        for purse in self.purses:
            self.world.send(self.world.channels.functions.withdraw(purse.id), purse.payer)
            purse.withdraw()


RULES: tuple[Callable[[Payments], None], ...] = (
    Payments.open,
    Payments.deposit,
    Payments.claim,
    Payments.claim,
    Payments.claim_many,
    Payments.authorize,
    Payments.revoke,
    Payments.request_withdraw,
    Payments.withdraw,
    Payments.ask,
    Payments.ask,
    Payments.answer,
    Payments.answer,
    Payments.refund,
    Payments.donate,
)
COUNTED = ("deposit", "claim", "claimMany", "authorizeSigner", "withdraw", "request", "fulfil", "refund")


@pytest.mark.parametrize("seed", range(3))
def test_payments_are_what_the_model_says(world: World, seed: int) -> None:
    """SPEC 6.21, 6.22, 6.23, 6.24 and 6.86: whatever is called, in any order, does what the model says."""
    payments = Payments(world, Random(seed))
    for step in range(STEPS):
        payments.behave = step // PHASE % 2 == 0
        payments.random.choice(RULES)(payments)
        payments.check()
    succeeded, failed = payments.done.total(), payments.refused.total()
    assert succeeded >= 0.3 * (succeeded + failed)
    assert all(payments.done[rule] for rule in COUNTED), payments.done
    assert failed > STEPS // 20
    payments.wind_down()
    payments.check()
    assert world.balance(world.channels.address) == payments.donated["channels"]
    assert world.balance(world.gateway.address) == payments.donated["gateway"]
