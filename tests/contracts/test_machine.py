"""Channels, settlement and rewards together, under any order of events, beside the oracle of `protocol`.

The machine pays two nodes, lets epochs pass, states, commits, finalises, claims, deposits and withdraws as hypothesis
likes, and after every step holds the contracts to conservation: what the channels and the vault hold is exactly what
the payers put in less what was taken out.
"""

from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from node.chain.keccak import keccak
from protocol.epoch import Statement, build_commitment
from protocol.parameters import BURN_ACCOUNT, DEFAULTS
from protocol.rewards import split_price, stakers_account
from protocol.types import Address
from scripts.deployment_plan import OPEN
from tests.contracts.channel import OpenChannel, open_channel
from tests.contracts.epochs import Ledger
from tests.contracts.world import Reverted, World

NODES = ("node", "other_node")
DEPOSIT = 10_000


class Economy(RuleBasedStateMachine):
    """Two nodes, one payer with a channel to each; ghosts hold what the contracts should say."""

    world: World

    def __init__(self) -> None:
        super().__init__()
        self.snapshot = self.world.tester.take_snapshot()
        for node in NODES:
            self.world.stake(node)
            self.world.fund(node, 10_000 * OPEN, self.world.settlement)
        self.ledger = Ledger(self.world)
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

    def teardown(self) -> None:
        self.world.tester.revert_to_snapshot(self.snapshot)

    @property
    def final_epochs(self) -> int:
        return sum(
            self.world.settlement.functions.getCommitment(epoch).call()[7] for epoch in self.committed
        )

    @rule(node=st.sampled_from(NODES), amount=st.integers(1, 4_000))
    def pay(self, node: str, amount: int) -> None:
        """A voucher for `amount` more is signed and claimed, as far as the deposit goes."""
        self.signed[node] += amount
        expected = min(self.signed[node], self.deposited[node]) - self.claimed[node]
        try:
            mined = self.channels[node].claim(self.signed[node], sender=node)
        except Reverted as refused:
            assert refused.name == "PaymentChannelsNothingToClaim" and expected == 0
            return
        (event,) = self.world.events(mined, self.world.channels, "VoucherClaimed")
        assert event["delta"] == expected > 0
        self.claimed[node] += expected
        key = int(event["epoch"]), node
        self.funded[key] = self.funded.get(key, 0) + expected

    @rule(node=st.sampled_from(NODES), amount=st.integers(1, 3_000))
    def deposit(self, node: str, amount: int) -> None:
        self.channels[node].do("deposit", amount)
        self.deposited[node] += amount

    @rule(node=st.sampled_from(NODES))
    def withdraw(self, node: str) -> None:
        """The payer asks, waits, and gets the unclaimed part."""
        requested = self.channels[node].do("requestWithdraw").time
        before = self.world.balance("payer")
        self.channels[node].do("withdraw", at=requested + 120)
        assert self.world.balance("payer") - before == self.deposited[node] - self.claimed[node]
        self.deposited[node] = self.claimed[node]

    @rule(seconds=st.integers(1, 150))
    def wait(self, seconds: int) -> None:
        self.world.pass_to(self.world.now + seconds)

    @rule(node=st.sampled_from(NODES))
    def state(self, node: str) -> None:
        """A node states its oldest unstated epoch, by the real split; a closed one rolls over instead."""
        open_epochs = [
            epoch
            for (epoch, who), amount in sorted(self.funded.items())
            if who == node and amount and epoch < self.ledger.epoch and node not in self.statements.get(epoch, {})
        ]
        if not open_epochs:
            return
        epoch = open_epochs[0]
        statement = self.ledger.statement(epoch, node, self.shares(node, self.funded[epoch, node]))
        try:
            self.ledger.publish(statement, node)
        except Reverted as refused:
            assert refused.name == "EpochSettlementClosed"
            self.roll_over(epoch, node)
            return
        self.statements.setdefault(epoch, {})[node] = statement

    def shares(self, node: str, amount: int) -> dict[str, int]:
        parts = split_price(amount, DEFAULTS.split)
        stakers = stakers_account(self.world.plain(node), keccak)
        shares = {BURN_ACCOUNT: parts.burn, "curator": parts.treasury, "model_owner": parts.model_owner}
        shares |= {node: parts.operator, stakers: parts.stakers, "contributor": parts.data}
        return {earner: part for earner, part in shares.items() if part}

    def roll_over(self, epoch: int, node: str) -> None:
        self.world.send(self.world.settlement.functions.rollover(epoch), node)
        key = self.ledger.epoch, node
        self.funded[key] = self.funded.get(key, 0) + self.funded.pop((epoch, node))

    @precondition(lambda self: set(self.statements) - set(self.committed))
    @rule(sender=st.sampled_from(NODES))
    def commit(self, sender: str) -> None:
        """The oldest stated epoch is committed as `protocol` computes it."""
        epoch = min(set(self.statements) - set(self.committed))
        statements = list(self.statements[epoch].values())
        commitment = build_commitment(epoch, statements, self.ledger.previous, keccak)
        try:
            self.ledger.commit(commitment, sender)
        except Reverted as refused:
            assert refused.name == "EpochSettlementStatementsOpen"
            return
        self.committed.append(epoch)

    @precondition(lambda self: self.final_epochs < len(self.committed))
    @rule()
    def finalize(self) -> None:
        epoch = self.committed[self.final_epochs]
        try:
            self.ledger.finalize(epoch)
        except Reverted as refused:
            assert refused.name == "EpochSettlementWindowOpen"

    @precondition(lambda self: self.final_epochs)
    @rule(data=st.data())
    def claim(self, data: Any) -> None:
        """An earner claims under the final root: exactly what is new, or nothing."""
        commitment = self.ledger.commitments[self.final_epochs - 1]
        account, cumulative = data.draw(st.sampled_from(commitment.cumulative))
        new = cumulative - self.paid.get(account, 0)
        try:
            self.ledger.claim(account, commitment=commitment)
        except Reverted as refused:
            assert refused.name == "RewardDistributorNothingToClaim" and new == 0
            return
        assert new > 0
        self.paid[account] = cumulative

    @invariant()
    def channels_hold_what_is_unclaimed(self) -> None:
        unclaimed = sum(self.deposited.values()) - sum(self.claimed.values())
        assert self.world.balance(self.world.channels.address) == unclaimed

    @invariant()
    def the_vault_holds_what_is_unpaid(self) -> None:
        unpaid = sum(self.claimed.values()) - sum(self.paid.values())
        assert self.world.balance(self.world.distributor.address) == unpaid
        assert self.world.distributor.functions.totalClaimed().call() == sum(self.paid.values())

    @invariant()
    def roots_follow_the_oracle_and_never_pass_the_funds(self) -> None:
        _, root, total = self.world.settlement.functions.latestCommitted().call()
        if self.ledger.commitments:
            assert root == self.ledger.commitments[-1].cum_root.digest
        assert total == sum(s.total for epoch in self.committed for s in self.statements[epoch].values())
        assert sum(self.paid.values()) <= total <= sum(self.claimed.values())


def test_any_order_of_events_conserves_money(world: World) -> None:
    """SPEC 6.21, 7.25, 8.21: under any order of events channels and vault hold exactly what is owed."""
    machine = type("EconomyHere", (Economy,), {"world": world})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=8, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
