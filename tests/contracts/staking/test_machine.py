"""Stake under any order of calls, beside an oracle in exact integers.

Hypothesis draws the calls and their arguments; phases alternate between behaving (arguments that should be
accepted) and random ones (whose refusal the oracle must name). After every call what was touched is read
back and compared, and at the end everything is, and everybody leaves.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from protocol.staking import VIRTUAL_SHARES
from tests.contracts.staking.bench import (
    DISTRIBUTOR,
    LOCKER,
    PARAMETERS,
    PERIOD,
    SLASHER,
    ZERO,
    Bench,
    bench_of,
)
from tests.contracts.staking.model import OPEN, PRECISION, Book, Refused
from tests.contracts.world import Mined, World, attempt

NODES = ("node", "other_node")
STAKERS = ("node", "other_node", "staker", "other_staker")
BENEFICIARY = "stranger"
PHASE_STEPS = 8
RANDOM_SLACK = 10**30

# How often each move is drawn.
MOVES = {
    "stake": 6,
    "unbond": 5,
    "withdraw": 4,
    "add_rewards": 3,
    "claim": 3,
    "lock": 3,
    "slash": 2,
    "collect": 3,
    "burn": 2,
    "donate": 1,
    "wait": 1,
    "vote": 1,
}


@dataclass(frozen=True)
class Turn:
    """One call: what, whose, and numbers that each move reads in its own way."""

    move: str
    node: str
    staker: str
    part: int
    odd: int
    seconds: int
    flag: bool


turns = st.builds(
    Turn,
    move=st.sampled_from([name for name, weight in MOVES.items() for _ in range(weight)]),
    node=st.sampled_from(NODES),
    staker=st.sampled_from(STAKERS),
    part=st.integers(0, 1_000),
    odd=st.integers(0, 10**9),
    seconds=st.integers(1, PERIOD),
    flag=st.booleans(),
)


class Staking(RuleBasedStateMachine):
    """Two nodes, which also delegate to each other, and two delegators."""

    bench: Bench
    happened: Counter[str]

    @initialize()
    def start(self) -> None:
        self.snapshot = self.bench.chain.snapshot()
        for who in (*STAKERS, DISTRIBUTOR):
            self.bench.fund(who, 10**7 * OPEN, self.bench.staking)
        self.book = Book(PARAMETERS)
        self.money = 4 * 10**7 * OPEN
        self.steps = 0
        self.agreed = True
        self.touched: tuple[str, str] = ("node", "node")
        self.past: dict[int, dict[tuple[str, str], int]] = {}
        self.prices = dict.fromkeys(NODES, Fraction(0))

    def teardown(self) -> None:
        if not hasattr(self, "book"):
            return
        try:
            if self.agreed:
                self.wind_up()
        finally:
            self.bench.chain.revert(self.snapshot)

    def wind_up(self) -> None:
        self.everything_is_as_the_oracle_says()
        self.the_past_stays_what_it_was()
        self.everybody_leaves()

    @property
    def behaving(self) -> bool:
        return self.steps // PHASE_STEPS % 2 == 0

    def one_of(self, count: Callable[[str, str], int], pick: int, other: tuple[str, str]) -> tuple[str, str]:
        """A (node, staker) of which there is some of what is counted; `other` where there is none."""
        some = [(node, staker) for node in NODES for staker in STAKERS if count(node, staker)]
        return some[pick % len(some)] if some else other

    @property
    def now(self) -> int:
        return self.bench.now

    def play(self, name: str, oracle: Callable[[int], Any], call: Callable[[], Mined]) -> Mined | None:
        """The call on the chain, then in the book at the same time: both accept it or name one error."""
        self.agreed = False
        mined, error = attempt(call)
        self.steps += 1
        expected = ""
        try:
            self.result = oracle(self.now)
        except Refused as refused:
            expected = str(refused)
        assert error == expected, f"{name}: the contract says {error!r}, the oracle {expected!r}"
        self.happened[name if mined else "refused"] += 1
        return mined

    @rule(turn=turns)
    def take_turn(self, turn: Turn) -> None:
        getattr(self, turn.move)(turn)

    def stake(self, t: Turn) -> None:
        node, staker, part, odd = t.node, t.staker, t.part, t.odd
        way = ("stake", "stakeAtLeast", "stakeFor")[t.seconds % 3]
        low = 1 if self.book.shares_of(node, staker) else OPEN
        amount = low + part * OPEN + odd if self.behaving else part * OPEN // 500 + odd % 2
        least = 0
        sender, arguments = staker, [node, amount]
        if way == "stakeAtLeast":
            least = amount if self.behaving else amount * 1_000 + odd % 3
            arguments.append(least)
        elif way == "stakeFor":
            sender, arguments = DISTRIBUTOR, [node, staker, amount]
        self.touched = node, staker
        done = self.play(
            "stake",
            lambda now: self.book.stake(node, staker, amount, now, least),
            lambda: self.bench.do(sender, way, *arguments),
        )
        self.money += amount if done and way == "stakeFor" else 0

    def unbond(self, t: Turn) -> None:
        node, staker, part = t.node, t.staker, t.part
        if self.behaving:
            node, staker = self.one_of(self.book.shares_of, part, (node, staker))
        held = self.book.shares_of(node, staker)
        shares = held * part // 1_000 + t.odd
        if self.behaving:
            limit = self.book.free(node, self.now + 1) if staker == node else held
            shares = min(max(shares, 10**6), limit)
        self.touched = node, staker
        self.play(
            "unbond",
            lambda now: self.book.unbond(node, staker, shares, now),
            lambda: self.bench.do(staker, "unbond", node, shares),
        )

    def withdraw(self, t: Turn) -> None:
        pick, thief = t.part, t.staker
        open_tickets = sorted(self.book.tickets)
        number = open_tickets[pick % len(open_tickets)] if open_tickets else pick
        ticket = self.book.tickets.get(number)
        sender = ticket.staker if ticket and self.behaving else thief
        if ticket and self.behaving and self.now < ticket.ready_at:
            self.bench.pass_to(ticket.ready_at)
        before = self.bench.balance(sender)
        self.touched = (ticket.node, ticket.staker) if ticket else self.touched
        near = ticket.ideal if ticket else 0
        if self.play(
            "withdraw",
            lambda now: self.book.withdraw(number, sender, now),
            lambda: self.bench.do(sender, "withdraw", number),
        ):
            assert self.bench.balance(sender) - before == self.result
            assert abs(self.result - near) <= 2 * self.steps

    def add_rewards(self, t: Turn) -> None:
        node, part = t.node, t.part
        amount = part * OPEN // 100 + t.odd if self.behaving or part % 3 else 0
        amount += int(self.behaving)
        self.touched = node, self.touched[1]
        done = self.play(
            "add_rewards",
            lambda now: self.book.add_rewards(node, amount, now),
            lambda: self.bench.do(DISTRIBUTOR, "addRewards", node, amount),
        )
        self.money += amount if done else 0

    def claim(self, t: Turn) -> None:
        node, staker = t.node, t.staker
        if self.behaving:
            pending = partial(self.book.pending, now=self.now + 1)
            node, staker = self.one_of(pending, t.part, (node, staker))
        before = self.bench.balance(staker)
        self.touched = node, staker
        if self.play(
            "claim",
            lambda now: self.book.claim(node, staker, now),
            lambda: self.bench.do(staker, "claimRewards", node),
        ):
            assert self.bench.balance(staker) - before == self.result

    def lock(self, t: Turn) -> None:
        node, for_fees = t.node, t.flag
        free = self.book.free(node, self.now + 1)
        asked = free * t.part // 4_000 if self.behaving else t.part * OPEN + t.odd
        ratio = self.book.parameters["stakeToFees"] if for_fees else 1
        amount = asked // max(ratio, 1)
        self.touched = node, node
        self.play(
            "lock",
            lambda now: self.book.lock(node, amount * ratio, now),
            lambda: self.bench.do(LOCKER, "lockForFees" if for_fees else "lock", node, amount),
        )
        assert self.bench.read("locked", node) <= self.bench.read("ownStake", node)

    def slash(self, t: Turn) -> None:
        node, part, rewarded = t.node, t.part, t.flag
        entry = self.book.nodes[node]
        reachable = entry.own.reachable + entry.delegated.reachable
        amount = reachable * part // 4_000 + t.odd if self.behaving else part * RANDOM_SLACK
        supply, wealth = self.bench.supply(), self.bench.wealth(BENEFICIARY)
        self.touched = node, node
        self.play(
            "slash",
            lambda now: self.book.slash(node, amount, now, BENEFICIARY if rewarded else ""),
            lambda: self.bench.do(SLASHER, "slash", node, amount, BENEFICIARY if rewarded else ZERO),
        )
        burnt = supply - self.bench.supply()
        paid = self.bench.wealth(BENEFICIARY) - wealth
        assert burnt + paid == self.result <= min(amount, reachable // 2)
        assert paid == (self.result // 2 if rewarded else 0)
        self.money -= self.result
        self.prices[node] = Fraction(0)

    def collect(self, t: Turn) -> None:
        account = BENEFICIARY if self.behaving else t.staker
        before = self.bench.balance(account)
        if self.play(
            "collect",
            lambda now: self.book.collect(account),
            lambda: self.bench.do(t.staker, "collectBounty", account),
        ):
            assert self.bench.balance(account) - before == self.result

    def burn(self, t: Turn) -> None:
        before = self.bench.token.functions.totalSupply().call()
        if self.play("burn", lambda now: self.book.burn(), lambda: self.bench.do(t.staker, "burnSlashed")):
            assert before - self.bench.token.functions.totalSupply().call() == self.result

    def donate(self, t: Turn) -> None:
        call = self.bench.token.functions.transfer(self.bench.staking.address, t.odd)
        self.bench.send(call, "deployer")
        self.book.donated += t.odd
        self.happened["donate"] += 1

    def wait(self, t: Turn) -> None:
        self.bench.pass_to(self.now + t.seconds)
        self.happened["wait"] += 1

    def vote(self, t: Turn) -> None:
        name, value = sorted(PARAMETERS)[t.part % len(PARAMETERS)], 2 * t.seconds
        bounded = {"unbondingPeriod": max(1, value), "stakeToFees": value % 101}.get(name, value)
        self.bench.set_parameter(name, bounded)
        self.book.parameters[name] = bounded
        self.happened["vote"] += 1

    @invariant()
    def what_was_touched_is_as_the_oracle_says(self) -> None:
        if not hasattr(self, "book"):
            return
        node, staker = self.touched
        self.pools_are_as_the_oracle_says(node)
        self.position_is_as_the_oracle_says(node, staker)
        self.the_balance_is_principal_and_rewards()
        self.prices_fall_by_slashes_alone(node)
        total = self.book.nodes[node].total
        self.past.setdefault(self.now, {})[node, staker] = self.book.stake_of(node, staker)
        self.past[self.now][node, ""] = total
        self.agreed = True

    def pools_are_as_the_oracle_says(self, node: str) -> None:
        entry = self.book.nodes[node]
        assert self.bench.read("ownPool", node) == entry.own.read()
        assert self.bench.read("delegationPool", node) == entry.delegated.read()
        assert tuple(self.bench.read("rewardDrip", node)) == (
            entry.drip.left,
            entry.drip.last,
            entry.drip.until,
        )
        assert self.bench.read("locked", node) == self.book.locked(node, self.now) <= entry.own.tokens
        for pool in (entry.own, entry.delegated):
            assert (pool.tokens == 0) == (pool.shares == 0)

    def position_is_as_the_oracle_says(self, node: str, staker: str) -> None:
        position = self.book.nodes[node].positions[staker]
        worth = self.bench.read("stakeOf", node, staker)
        assert worth == self.book.stake_of(node, staker)
        assert abs(worth - position.ideal) <= 2 * self.steps
        assert self.bench.read("sharesOf", node, staker) == position.shares
        assert self.bench.read("pendingRewards", node, staker) == self.book.pending(node, staker, self.now)

    def the_balance_is_principal_and_rewards(self) -> None:
        balance = self.bench.balance(self.bench.staking.address)
        slashed = self.book.unburnt + sum(self.book.bounties.values())
        assert balance == self.book.principal() + self.book.rewards + slashed + self.book.donated
        assert self.bench.read("unburnt") == self.book.unburnt

    def prices_fall_by_slashes_alone(self, node: str) -> None:
        pool = self.book.nodes[node].delegated
        price = Fraction(pool.tokens + 1, pool.shares + VIRTUAL_SHARES) if pool.shares else Fraction(0)
        assert price >= self.prices[node] or not pool.shares
        self.prices[node] = price

    def everything_is_as_the_oracle_says(self) -> None:
        for node in NODES:
            self.pools_are_as_the_oracle_says(node)
            for staker in STAKERS:
                self.position_is_as_the_oracle_says(node, staker)
            entry = self.book.nodes[node]
            delegators = [one for name, one in entry.positions.items() if name != node]
            assert sum(one.shares for one in delegators) == entry.delegated.shares
            for pool, own in ((entry.own, True), (entry.delegated, False)):
                leaving = [
                    one.shares
                    for one in self.book.tickets.values()
                    if one.node == node and (one.staker == node) == own and one.generation == pool.generation
                ]
                assert sum(leaving) == pool.unbonding_shares
        for number in self.book.tickets:
            assert self.bench.read("ticketWorth", number) == self.book.worth(number)
        self.rewards_are_covered()

    def rewards_are_covered(self) -> None:
        """What anyone may claim and what still flows is at most what was added, and a wei a claimant less."""
        scaled = 0
        for node, entry in self.book.nodes.items():
            scaled += entry.drip.left * PRECISION
            for staker, one in entry.positions.items():
                scaled += one.earned
                if staker != node:
                    scaled += one.shares * (entry.delegated.per_share - one.paid)
        assert 0 <= self.book.rewards * PRECISION - scaled <= (self.steps + 1) * PRECISION

    def the_past_stays_what_it_was(self) -> None:
        self.bench.pass_to(self.now + 1)
        for time, stakes in list(self.past.items())[-12:]:
            for (node, staker), amount in stakes.items():
                if staker:
                    assert self.bench.read("pastStakeOf", node, staker, time) == amount
                else:
                    assert self.bench.read("pastStake", node, time) == amount

    def everybody_leaves(self) -> None:
        """Nothing holds anyone: once locks are over, all stake is withdrawn and all rewards are claimed."""
        ahead = 4 * PERIOD + max(self.book.parameters["unbondingPeriod"], self.book.parameters["rewardDrip"])
        self.bench.pass_to(self.now + 2 * ahead)
        for node in NODES:
            for staker in STAKERS:
                if self.book.stake_of(node, staker):
                    shares = self.book.shares_of(node, staker)
                    self.bench.do(staker, "unbond", node, shares)
                    self.book.unbond(node, staker, shares, self.now)
        self.bench.pass_to(max([self.now, *(one.ready_at for one in self.book.tickets.values())]) + 1)
        for number, ticket in list(self.book.tickets.items()):
            self.bench.do(ticket.staker, "withdraw", number)
            self.book.withdraw(number, ticket.staker, self.now)
        for node in NODES:
            for staker in STAKERS:
                if self.book.pending(node, staker, self.now + 1):
                    self.bench.do(staker, "claimRewards", node)
                    self.book.claim(node, staker, self.now)
        self.the_balance_is_principal_and_rewards()
        assert self.book.principal() <= 2 * self.steps
        flowing = sum(entry.drip.left for entry in self.book.nodes.values())
        assert self.book.rewards - flowing <= 2 * self.steps + len(STAKERS)
        held = sum(self.bench.balance(who) for who in STAKERS)
        assert held + self.book.principal() + self.book.rewards == self.money
        self.happened["left"] += 1


LEAST = {
    "stake": 20,
    "unbond": 10,
    "withdraw": 4,
    "add_rewards": 8,
    "claim": 8,
    "lock": 8,
    "slash": 5,
    "collect": 2,
    "burn": 2,
    "donate": 2,
    "wait": 3,
    "vote": 3,
    "refused": 20,
    "left": 10,
}


def run(world: World, examples: int, steps: int) -> Counter[str]:
    bench, happened = bench_of(world), Counter[str]()
    machine = type("BoundStaking", (Staking,), {"bench": bench, "happened": happened})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            derandomize=True,
            deadline=None,
            phases=(Phase.generate,),
            suppress_health_check=HealthCheck.all(),
        ),
    )
    return happened


def test_any_order_of_calls_agrees_with_the_oracle(world: World) -> None:
    """SPEC 8.70, 8.61, 8.63, 8.64, 8.67: what the contract holds is what the oracle holds after every call,
    and in the end everybody leaves with what is theirs."""
    # Hypothesis keeps its first ten examples short.
    happened = run(world, examples=18, steps=60)
    assert all(happened[name] >= least for name, least in LEAST.items()), happened


@pytest.mark.slow
def test_many_orders_of_calls_agree_with_the_oracle(world: World) -> None:
    """SPEC 8.70: as above, for ten minutes."""
    happened = run(world, examples=60, steps=100)
    assert all(happened[name] >= 10 * least for name, least in LEAST.items()), happened
