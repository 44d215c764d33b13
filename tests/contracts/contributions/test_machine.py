"""Offers, decisions, appeals, copies and exits in any order, beside a model in Python.

The model says for each call which error it meets, and what it pays; after every step the ledger holds exactly
the open bonds. Phases alternate: in one only calls that the model allows, in the next any call at any time.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

import pytest

from node.chain.keccak import keccak
from tests.contracts.datanets import (
    APPEALED,
    CID,
    CURATOR_STAKE,
    DECIDED,
    SETTLED,
    SUBMITTED,
    WITHDRAWN,
    bond_of,
    contribution_of,
    ledger_of,
    membership,
    parameter,
    submit,
)
from tests.contracts.world import World, attempt

STEPS, PHASE, PATIENCE = 100, 16, 400
CONTRIBUTORS, CURATORS = ("contributor", "staker"), ("curator", "node")
POOL = [keccak(b"shared %d" % place) for place in range(4)]


@dataclass
class Offer:
    """What the model knows of one contribution."""

    sender: str
    digests: tuple[bytes, ...]
    deadline: int
    status: int = SUBMITTED
    spam: bool = False
    held: bool = True
    curator: str = ""
    copies: set[bytes] = field(default_factory=set)


class Ledger:
    """The contract and the model, step by step."""

    def __init__(self, world: World, datanet: int, random: Random) -> None:
        self.world, self.datanet, self.random = world, datanet, random
        self.bond, self.window = bond_of(world), parameter(world, "appealWindow")
        self.offers: dict[int, Offer] = {}
        self.happened: Counter[str] = Counter()
        self.paid_in = self.paid_out = self.burnt = 0
        self.slashed = 0
        self.supply = world.supply()
        for curator in CURATORS:
            world.stake(curator, 100 * CURATOR_STAKE)  # enough to err many times

    def submit(self, _: bool) -> None:
        sender = self.random.choice(CONTRIBUTORS)
        digests = tuple(self.random.sample(POOL, self.random.randint(1, 3)))
        number = submit(self.world, self.datanet, sender, digests)
        self.offers[number] = Offer(sender, digests, self.world.now + self.window)
        self.paid_in += self.bond
        self.happened["submit"] += 1

    def decide(self, legal: bool) -> None:
        is_spam = self.random.random() < 0.4
        curator = self.random.choice(CURATORS)
        number = self._pick(legal, lambda one: one.status == SUBMITTED)
        if number is None:
            return
        offer = self.offers[number]
        functions = ledger_of(self.world).functions
        call = (
            functions.decideSpam(number, CID)
            if is_spam
            else functions.decide(number, len(offer.digests), 0, CID)
        )
        refusal = "" if offer.status == SUBMITTED else "ContributionLedgerAlreadyDecided"
        if self._send("decide", call, curator, refusal):
            offer.status, offer.spam, offer.curator = DECIDED, is_spam, curator
            offer.deadline = self.world.now + self.window

    def withdraw(self, legal: bool) -> None:
        number = self._pick(legal, lambda one: one.status == SUBMITTED)
        if number is None:
            return
        offer = self.offers[number]
        if legal:
            self._wait(offer.deadline)
        refusal = "" if offer.status == SUBMITTED else "ContributionLedgerWrongStatus"
        refusal = refusal or ("ContributionLedgerTooEarly" if self.next < offer.deadline else "")
        if self._send("withdraw", ledger_of(self.world).functions.withdraw(number), offer.sender, refusal):
            offer.status = WITHDRAWN
            self._release(offer, 0, 0)

    def appeal(self, legal: bool) -> None:
        number = self._pick(legal, lambda one: one.status == DECIDED and self.world.now + 9 < one.deadline)
        if number is None:
            return
        offer = self.offers[number]
        self.world.fund(offer.sender, self.bond, ledger_of(self.world))
        refusal = "" if offer.status == DECIDED else "ContributionLedgerWrongStatus"
        refusal = refusal or ("ContributionLedgerTooLate" if self.next >= offer.deadline else "")
        if self._send("appeal", ledger_of(self.world).functions.appeal(number, CID), offer.sender, refusal):
            offer.status, offer.deadline = APPEALED, self.world.now + self.window
            self.paid_in += self.bond

    def rule(self, legal: bool) -> None:
        number = self._pick(legal, lambda one: one.status == APPEALED and self.world.now + 9 < one.deadline)
        if number is None:
            return
        offer, overturned = self.offers[number], self.happened["overturn"] <= self.happened["uphold"]
        ruler = self.random.choice(CURATORS)
        if legal:
            ruler = next(one for one in CURATORS if one != offer.curator)
        refusal = "" if offer.status == APPEALED else "ContributionLedgerWrongStatus"
        refusal = refusal or ("ContributionLedgerOwnDecision" if ruler == offer.curator else "")
        refusal = refusal or ("ContributionLedgerTooLate" if self.next >= offer.deadline else "")
        functions = ledger_of(self.world).functions
        call = (
            functions.overturn(number, 0, len(offer.digests), CID)
            if overturned
            else functions.uphold(number, CID)
        )
        if self._send("overturn" if overturned else "uphold", call, ruler, refusal):
            offer.status = SETTLED
            if overturned:
                offer.spam = False
                self.slashed += contribution_of(self.world, number)["atRisk"]
            self._release(offer, self.bond if overturned else 0, 0 if overturned else self.bond)

    def settle(self, legal: bool) -> None:
        number = self._pick(legal, lambda one: one.status in (DECIDED, APPEALED))
        if number is None:
            return
        offer = self.offers[number]
        if legal:
            self._wait(offer.deadline)
        refusal = "" if offer.status in (DECIDED, APPEALED) else "ContributionLedgerWrongStatus"
        refusal = refusal or ("ContributionLedgerTooEarly" if self.next < offer.deadline else "")
        if self._send("settle", ledger_of(self.world).functions.settle(number), "stranger", refusal):
            appealed, offer.status = offer.status == APPEALED, SETTLED
            self._release(offer, self.bond if appealed else 0, 0)

    def duplicate(self, legal: bool) -> None:
        if len(self.offers) < 2:
            return
        first, second = sorted(self.random.sample(sorted(self.offers), 2))
        digest = self.random.choice(POOL)
        earlier, later = self.offers[first], self.offers[second]
        refusal = ""
        if digest not in earlier.digests or digest not in later.digests:
            return  # without a proof there is nothing to send
        if earlier.sender == later.sender:
            refusal = "ContributionLedgerSameContributor"
        elif digest in later.copies:
            refusal = "ContributionLedgerDuplicateKnown"
        if legal and refusal:
            return
        rows = [
            membership(self.world, number, offer.sender, digest, offer.digests)
            for number, offer in ((first, earlier), (second, later))
        ]
        if self._send(
            "duplicate", ledger_of(self.world).functions.proveDuplicate(digest, *rows), "challenger", refusal
        ):
            later.copies.add(digest)
            if later.held:
                later.held = False
                self.paid_out += self.bond // 2
                self.burnt += self.bond - self.bond // 2

    def check(self) -> None:
        """Bonds in are bonds out, burnt or held."""
        held = sum(self.bond for one in self.offers.values() if one.held)
        held += sum(self.bond for one in self.offers.values() if one.status == APPEALED)
        assert self.world.balance(ledger_of(self.world).address) == held
        assert self.paid_in == self.paid_out + self.burnt + held
        gone = self.supply - self.world.supply()
        assert gone == self.burnt + self.slashed

    @property
    def next(self) -> int:
        return self.world.now + 1

    def _pick(self, legal: bool, allowed: Callable[[Offer], bool]) -> int | None:
        numbers = [number for number, one in self.offers.items() if not legal or allowed(one)]
        return self.random.choice(numbers) if numbers else None

    def _wait(self, deadline: int) -> None:
        if self.world.now < deadline:
            self.world.pass_to(deadline)

    def _send(self, name: str, call: object, sender: str, refusal: str) -> bool:
        mined, met = attempt(lambda: self.world.send(call, sender))  # type: ignore[arg-type]
        assert met == refusal, f"{name} met {met!r}, the model says {refusal!r}"
        self.happened[name if mined else f"{name} refused"] += 1
        return mined is not None

    def _release(self, offer: Offer, refund: int, burnt: int) -> None:
        if offer.held:
            offer.held = False
            refund, burnt = (refund, burnt + self.bond) if offer.spam else (refund + self.bond, burnt)
        self.paid_out += refund
        self.burnt += burnt


NAMES = ("submit", "decide", "withdraw", "appeal", "uphold", "overturn", "settle", "duplicate")
RULES = (
    Ledger.submit,
    Ledger.submit,
    Ledger.decide,
    Ledger.decide,
    Ledger.withdraw,
    Ledger.appeal,
    Ledger.appeal,
    Ledger.rule,
    Ledger.rule,
    Ledger.rule,
    Ledger.settle,
    Ledger.duplicate,
)


@pytest.mark.parametrize("seed", range(2))
def test_bonds_are_conserved_in_any_order(world: World, datanet: int, seed: int) -> None:
    """SPEC 1.73: every call meets exactly the error that the model foresees; in the end nothing is held."""
    ledger = Ledger(world, datanet, Random(seed))
    for step in range(STEPS + PATIENCE):
        if step >= STEPS and all(ledger.happened[name] for name in NAMES):
            break
        ledger.random.choice(RULES)(ledger, step // PHASE % 3 != 2 or step >= STEPS)
        ledger.check()
    assert all(ledger.happened[name] for name in NAMES), ledger.happened
    refused = sum(count for name, count in ledger.happened.items() if name.endswith("refused"))
    assert refused < 0.7 * sum(ledger.happened.values())
    world.pass_to(world.now + 2 * ledger.window)
    for number, offer in ledger.offers.items():
        functions = ledger_of(world).functions
        if offer.status == SUBMITTED:
            world.send(functions.withdraw(number), offer.sender)
        elif offer.status in (DECIDED, APPEALED):
            world.send(functions.settle(number), "stranger")
    assert world.balance(ledger_of(world).address) == 0
