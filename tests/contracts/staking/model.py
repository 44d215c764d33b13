"""What NodeStaking should hold, in exact integers: the oracle of its state machine.

Every entry either changes the book or raises Refused with the contract's own error. Beside the integers stand
`ideal` fractions, what each position would be worth if nothing were ever rounded.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from fractions import Fraction

from protocol.staking import Drip, Locks, to_shares_down, to_tokens_down

OPEN = 10**18
PRECISION = 10**36


class Refused(Exception):
    """The name of the error that the contract should revert with."""


def require(holds: bool, error: str) -> None:
    if not holds:
        raise Refused(error)


@dataclass
class Pool:
    """Own stake (a share is a wei) or delegations; in order of the contract's struct."""

    tokens: int = 0
    unbonding_tokens: int = 0
    shares: int = 0
    unbonding_shares: int = 0
    per_share: int = 0
    generation: int = 0

    @property
    def reachable(self) -> int:
        return self.tokens + self.unbonding_tokens

    def read(self) -> tuple[int, ...]:
        return (
            self.tokens,
            self.unbonding_tokens,
            self.shares,
            self.unbonding_shares,
            self.per_share,
            self.generation,
        )


@dataclass
class Position:
    shares: int = 0
    paid: int = 0
    earned: int = 0
    ideal: Fraction = Fraction(0)


@dataclass
class Ticket:
    staker: str
    node: str
    shares: int
    ready_at: int
    generation: int
    ideal: Fraction


@dataclass
class Node:
    own: Pool = field(default_factory=Pool)
    delegated: Pool = field(default_factory=Pool)
    drip: Drip = field(default_factory=Drip)
    locks: Locks = field(default_factory=Locks)
    positions: dict[str, Position] = field(default_factory=lambda: defaultdict(Position))

    @property
    def total(self) -> int:
        return self.own.tokens + self.delegated.tokens


class Book:
    """All nodes, tickets and parameters, and the totals that conservation is checked by."""

    def __init__(self, parameters: dict[str, int]) -> None:
        self.parameters = dict(parameters)
        self.nodes: dict[str, Node] = defaultdict(Node)
        self.tickets: dict[int, Ticket] = {}
        self.issued = 0
        self.rewards = 0  # added and not yet claimed
        self.unburnt = 0
        self.bounties: dict[str, int] = defaultdict(int)
        self.donated = 0

    def pool(self, node: str, staker: str) -> Pool:
        return self.nodes[node].own if staker == node else self.nodes[node].delegated

    def principal(self) -> int:
        return sum(one.own.reachable + one.delegated.reachable for one in self.nodes.values())

    def locked(self, node: str, now: int) -> int:
        return self.nodes[node].locks.held(now)

    def free(self, node: str, now: int) -> int:
        return self.nodes[node].own.tokens - self.locked(node, now)

    def stake_of(self, node: str, staker: str) -> int:
        pool = self.pool(node, staker)
        return to_tokens_down(self.shares_of(node, staker), pool.tokens, pool.shares)

    def shares_of(self, node: str, staker: str) -> int:
        return self.nodes[node].positions[staker].shares

    def worth(self, number: int) -> int:
        ticket = self.tickets.get(number)
        if ticket is None:
            return 0
        pool = self.pool(ticket.node, ticket.staker)
        if ticket.generation != pool.generation:
            return 0
        return to_tokens_down(ticket.shares, pool.unbonding_tokens, pool.unbonding_shares)

    def stake(self, node: str, staker: str, amount: int, now: int, least: int = 0) -> None:
        require(amount != 0, "NodeStakingZeroAmount")
        pool, position = self.pool(node, staker), self.nodes[node].positions[staker]
        require(amount >= OPEN or position.shares != 0, "NodeStakingTooSmall")
        own = staker == node
        shares = amount if own else to_shares_down(amount, pool.tokens, pool.shares)
        require(shares != 0, "NodeStakingTooSmall")
        require(shares >= least, "NodeStakingTooFewShares")
        self.release(node, now)
        self.accrue(node, staker)
        position.shares += shares
        pool.shares += shares
        pool.tokens += amount
        position.ideal += amount

    def unbond(self, node: str, staker: str, shares: int, now: int) -> int:
        require(shares != 0, "NodeStakingZeroAmount")
        pool, position = self.pool(node, staker), self.nodes[node].positions[staker]
        require(shares <= position.shares, "NodeStakingNotEnoughShares")
        require(staker != node or shares <= self.free(node, now), "NodeStakingLocked")
        amount = shares if staker == node else to_tokens_down(shares, pool.tokens, pool.shares)
        require(amount != 0, "NodeStakingZeroAmount")
        self.release(node, now)
        self.accrue(node, staker)
        leaving = position.ideal * Fraction(shares, position.shares)
        position.ideal -= leaving
        position.shares -= shares
        pool.shares -= shares
        pool.tokens -= amount
        exiting = to_shares_down(amount, pool.unbonding_tokens, pool.unbonding_shares)
        pool.unbonding_tokens += amount
        pool.unbonding_shares += exiting
        self.issued += 1
        ready = now + self.parameters["unbondingPeriod"]
        self.tickets[self.issued] = Ticket(staker, node, exiting, ready, pool.generation, leaving)
        return self.issued

    def withdraw(self, number: int, sender: str, now: int) -> int:
        require(number in self.tickets, "NodeStakingUnknownTicket")
        ticket = self.tickets[number]
        require(sender == ticket.staker, "NodeStakingNotTicketOwner")
        require(now >= ticket.ready_at, "NodeStakingStillUnbonding")
        pool, amount = self.pool(ticket.node, ticket.staker), self.worth(number)
        if ticket.generation == pool.generation:
            pool.unbonding_tokens -= amount
            pool.unbonding_shares -= ticket.shares
        del self.tickets[number]
        return amount

    def lock(self, node: str, amount: int, now: int) -> None:
        if amount == 0:
            return
        require(amount <= self.free(node, now), "NodeStakingLockExceedsStake")
        entry = self.nodes[node]
        entry.locks = entry.locks.added(amount, self.parameters["unbondingPeriod"], now)

    def slash(self, node: str, amount: int, now: int, beneficiary: str = "") -> int:
        entry = self.nodes[node]
        self.release(node, now)
        capped = min(amount, (entry.own.reachable + entry.delegated.reachable) // 2)
        own_part = min(capped, entry.own.reachable)
        slashed = self.take(node, entry.own, own_part, own=True)
        slashed += self.take(node, entry.delegated, capped - own_part, own=False)
        entry.locks = entry.locks.reduced_to(entry.own.tokens, now)
        rewarded = slashed // 2 if beneficiary else 0
        self.bounties[beneficiary] += rewarded
        self.unburnt += slashed - rewarded
        return slashed

    def collect(self, account: str) -> int:
        require(self.bounties[account] != 0, "NodeStakingNoBounty")
        return self.bounties.pop(account)

    def burn(self) -> int:
        require(self.unburnt != 0, "NodeStakingNothingToBurn")
        amount, self.unburnt = self.unburnt, 0
        return amount

    def take(self, node: str, pool: Pool, amount: int, own: bool) -> int:
        """The same part of stake at work and of stake leaving; a pool emptied begins anew."""
        if amount == 0:
            return 0
        before = pool.reachable
        if amount == before:
            taken = amount
            pool.tokens = pool.unbonding_tokens = pool.unbonding_shares = 0
            pool.generation += 1
        else:
            parts = amount * pool.tokens // before, amount * pool.unbonding_tokens // before
            pool.tokens -= parts[0]
            pool.unbonding_tokens -= parts[1]
            taken = sum(parts)
        positions = self.nodes[node].positions
        if own:
            pool.shares = positions[node].shares = pool.tokens
        self.scale(node, own, Fraction(before - taken, before))
        return taken

    def scale(self, node: str, own: bool, left: Fraction) -> None:
        for staker, position in self.nodes[node].positions.items():
            if (staker == node) == own:
                position.ideal *= left
        for ticket in self.tickets.values():
            if ticket.node == node and (ticket.staker == node) == own:
                ticket.ideal *= left

    def add_rewards(self, node: str, amount: int, now: int) -> None:
        require(amount != 0, "NodeStakingZeroAmount")
        self.release(node, now)
        entry = self.nodes[node]
        entry.drip = entry.drip.added(amount, self.parameters["rewardDrip"], now)
        self.rewards += amount

    def claim(self, node: str, staker: str, now: int) -> int:
        amount = self.pending(node, staker, now)
        require(amount != 0, "NodeStakingNoRewards")
        self.release(node, now)
        self.accrue(node, staker)
        self.nodes[node].positions[staker].earned -= amount * PRECISION
        self.rewards -= amount
        return amount

    def pending(self, node: str, staker: str, now: int) -> int:
        own, per_share = self.flowed(node, now)
        position = self.nodes[node].positions[staker]
        if staker == node:
            return (position.earned + own * PRECISION) // PRECISION
        return (position.earned + position.shares * (per_share - position.paid)) // PRECISION

    def flowed(self, node: str, now: int) -> tuple[int, int]:
        """What flowed to the own pool since the last release, and the rewards per delegated share by now."""
        entry = self.nodes[node]
        if entry.total == 0:
            return 0, entry.delegated.per_share
        due = entry.drip.due(now)
        own = due * entry.own.tokens // entry.total
        if entry.delegated.shares == 0:
            return own, entry.delegated.per_share
        return own, entry.delegated.per_share + (due - own) * PRECISION // entry.delegated.shares

    def release(self, node: str, now: int) -> None:
        entry = self.nodes[node]
        if entry.drip.left == 0:
            return
        if entry.total == 0:
            entry.drip = entry.drip.paused(now)
            return
        own, per_share = self.flowed(node, now)
        entry.positions[node].earned += own * PRECISION
        entry.delegated.per_share = per_share
        entry.drip = entry.drip.taken(entry.drip.due(now), now)

    def accrue(self, node: str, staker: str) -> None:
        position = self.nodes[node].positions[staker]
        if staker == node:
            return
        per_share = self.nodes[node].delegated.per_share
        position.earned += position.shares * (per_share - position.paid)
        position.paid = per_share
