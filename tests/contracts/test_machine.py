"""Channels, settlement and rewards together, under any order of events, beside the oracle of `protocol`.

The machine pays two nodes, lets epochs pass, states, commits, finalises, claims, deposits and withdraws in
an order drawn from a seed, and after every step holds the contracts to conservation: what the channels and
the vault hold is exactly what was put in less what was taken out. In the end everything owed can be paid,
whatever happened before. The order is drawn here and not by hypothesis, whose shortest examples hardly ever
reach a claim.
"""

from collections import Counter
from random import Random

import pytest

from node.chain.keccak import keccak
from protocol.epoch import Statement, build_commitment
from protocol.parameters import BURN_ACCOUNT, DEFAULTS
from protocol.rewards import split_price, stakers_account
from protocol.types import Address
from tests.contracts.channel import OpenChannel, open_channel
from tests.contracts.epochs import Ledger
from tests.contracts.world import World, attempt

NODES = ("node", "other_node")
DEPOSIT = 10_000


class Economy:
    """Two nodes, one payer with a channel to each; ghosts hold what the contracts should say."""

    def __init__(self, world: World, ledger: Ledger, random: Random) -> None:
        self.world = world
        self.ledger = ledger
        self.random = random
        self.happened: Counter[str] = Counter()
        self.channels: dict[str, OpenChannel] = {
            node: open_channel(self.world, DEPOSIT, payee=node, salt=keccak(node.encode())) for node in NODES
        }
        self.signed = dict.fromkeys(NODES, 0)
        self.deposited = dict.fromkeys(NODES, DEPOSIT)
        self.claimed = dict.fromkeys(NODES, 0)
        self.funded: dict[tuple[int, str], int] = {}
        self.statements: dict[int, dict[str, Statement]] = {}
        self.committed: list[int] = []
        self.paid: dict[Address, int] = {}

    @property
    def final_epochs(self) -> int:
        return sum(self.world.settlement.functions.getCommitment(epoch).call()[6] for epoch in self.committed)

    def pay(self) -> None:
        """A voucher for more is signed and claimed, as far as the deposit goes."""
        node, amount = self.random.choice(NODES), self.random.randint(1, 4_000)
        self.signed[node] += amount
        expected = min(self.signed[node], self.deposited[node]) - self.claimed[node]
        mined, refusal = attempt(lambda: self.channels[node].claim(self.signed[node], sender=node))
        if mined is None:
            assert (refusal, expected) == ("PaymentChannelsNothingToClaim", 0)
            return
        self.happened["paid"] += 1
        (event,) = self.world.events(mined, self.world.channels, "VoucherClaimed")
        assert event["delta"] == expected > 0
        self.claimed[node] += expected
        key = int(event["epoch"]), node
        self.funded[key] = self.funded.get(key, 0) + expected

    def deposit(self) -> None:
        node, amount = self.random.choice(NODES), self.random.randint(1, 3_000)
        self.channels[node].do("deposit", amount)
        self.deposited[node] += amount

    def withdraw(self) -> None:
        """The payer asks, waits, and gets the unclaimed part."""
        node = self.random.choice(NODES)
        requested = self.channels[node].do("requestWithdraw").time
        before = self.world.balance("payer")
        self.channels[node].do("withdraw", at=requested + 120)
        assert self.world.balance("payer") - before == self.deposited[node] - self.claimed[node]
        self.deposited[node] = self.claimed[node]

    def wait(self) -> None:
        self.world.pass_to(self.world.now + self.random.randint(1, 150))

    def state(self) -> None:
        self.state_oldest(self.random.choice(NODES))

    def state_oldest(self, node: str) -> None:
        """A node states its oldest unstated epoch, by the real split; a closed one rolls over instead."""
        open_epochs = [
            epoch
            for (epoch, who), amount in sorted(self.funded.items())
            if who == node
            and amount
            and epoch < self.ledger.epoch
            and node not in self.statements.get(epoch, {})
        ]
        if not open_epochs:
            return
        epoch = open_epochs[0]
        statement = self.ledger.statement(epoch, node, self.shares(node, self.funded[epoch, node]))
        _, refusal = attempt(lambda: self.ledger.publish(statement, node))
        if refusal:
            assert refusal == "EpochSettlementClosed"
            self.roll_over(epoch, node)
            return
        self.happened["stated"] += 1
        self.statements.setdefault(epoch, {})[node] = statement

    def shares(self, node: str, amount: int) -> dict[str, int]:
        parts = split_price(amount, DEFAULTS.split)
        stakers = stakers_account(self.world.plain(node), keccak)
        shares = {BURN_ACCOUNT: parts.burn, "curator": parts.treasury, "model_owner": parts.model_owner}
        shares |= {node: parts.operator, stakers: parts.stakers, "contributor": parts.data}
        return {earner: part for earner, part in shares.items() if part}

    def roll_over(self, epoch: int, node: str) -> None:
        self.world.send(self.world.settlement.functions.rollover(epoch), node)
        self.happened["rolled over"] += 1
        key = self.ledger.epoch, node
        self.funded[key] = self.funded.get(key, 0) + self.funded.pop((epoch, node))

    def commit(self) -> None:
        """The oldest stated epoch is committed as `protocol` computes it."""
        waiting = set(self.statements) - set(self.committed)
        if not waiting:
            return
        epoch = min(waiting)
        statements = list(self.statements[epoch].values())
        commitment = build_commitment(epoch, statements, self.ledger.previous, keccak)
        _, refusal = attempt(lambda: self.ledger.commit(commitment, self.random.choice(NODES)))
        assert refusal in ("", "EpochSettlementStatementsOpen")
        if not refusal:
            self.committed.append(epoch)

    def finalize(self) -> None:
        if self.final_epochs == len(self.committed):
            return
        epoch = self.committed[self.final_epochs]
        _, refusal = attempt(lambda: self.ledger.finalize(epoch))
        assert refusal in ("", "EpochSettlementWindowOpen")

    def claim(self) -> None:
        """Someone claims for an earner under the final root: exactly what is new, or nothing."""
        if self.final_epochs:
            final = self.ledger.commitments[self.final_epochs - 1]
            self.claim_for(*self.random.choice(final.cumulative))

    def claim_for(self, account: Address, cumulative: int) -> None:
        commitment = self.ledger.commitments[self.final_epochs - 1]
        new = cumulative - self.paid.get(account, 0)
        _, refusal = attempt(lambda: self.ledger.claim(account, commitment=commitment))
        if refusal:
            assert (refusal, new) == ("RewardDistributorNothingToClaim", 0)
            return
        assert new > 0
        self.happened["claimed"] += 1
        self.paid[account] = cumulative

    def wind_down(self) -> None:
        """From wherever the economy stands: everything funded is stated, committed, final and claimed."""
        for _ in range(4):  # unstated money may roll over once, and every epoch may need its grace
            self.world.pass_to(self.ledger.end_of(self.ledger.epoch + 1))
            for node in NODES:
                for _ in range(len(self.funded) + 1):
                    self.state_oldest(node)
            for _ in range(len(self.statements)):
                self.commit()
        self.world.pass_to(self.world.now + self.world.settings.challenge_window)
        for _ in range(len(self.committed)):
            self.finalize()
        for account, cumulative in self.ledger.commitments[-1].cumulative:
            self.claim_for(account, cumulative)

    def check(self) -> None:
        self.channels_hold_what_is_unclaimed()
        self.the_vault_holds_what_is_unpaid()
        self.roots_follow_the_oracle_and_never_pass_the_funds()

    def channels_hold_what_is_unclaimed(self) -> None:
        unclaimed = sum(self.deposited.values()) - sum(self.claimed.values())
        assert self.world.balance(self.world.channels.address) == unclaimed

    def the_vault_holds_what_is_unpaid(self) -> None:
        unpaid = sum(self.claimed.values()) - sum(self.paid.values())
        assert self.world.balance(self.world.distributor.address) == unpaid
        assert self.world.distributor.functions.totalClaimed().call() == sum(self.paid.values())

    def roots_follow_the_oracle_and_never_pass_the_funds(self) -> None:
        _, root, total = self.world.settlement.functions.latestCommitted().call()
        if self.ledger.commitments:
            assert root == self.ledger.commitments[-1].cum_root.digest
        assert total == sum(s.total for epoch in self.committed for s in self.statements[epoch].values())
        assert sum(self.paid.values()) <= total <= sum(self.claimed.values())


STEPS = (
    "pay",
    "pay",
    "pay",
    "wait",
    "wait",
    "state",
    "state",
    "commit",
    "commit",
    "finalize",
    "claim",
    "claim",
)
RARE = ("deposit", "withdraw")


@pytest.mark.parametrize("seed", range(4))
def test_any_order_of_events_conserves_money(world: World, ledger: Ledger, seed: int) -> None:
    """SPEC 6.21, 7.25, 8.21: under any order of events channels and vault hold exactly what is owed, and in
    the end all of it is paid."""
    random = Random(seed)
    economy = Economy(world, ledger, random)
    for _ in range(90):
        step = random.choice(RARE if random.random() < 0.08 else STEPS)
        getattr(economy, step)()
        economy.check()
    economy.wind_down()
    economy.check()
    assert world.balance(world.distributor.address) == 0
    assert sum(economy.paid.values()) == sum(economy.claimed.values()) > 0
    assert all(economy.happened[what] > 3 for what in ("paid", "stated", "claimed")), economy.happened
    assert len(economy.committed) > 3
