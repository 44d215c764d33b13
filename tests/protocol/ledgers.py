"""Whole epochs by the rules, played from a seed: channels, vouchers, part payments, gateway requests, and
commitments that build on each other. Everything a watcher sees of them, right to the last wei.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from random import Random

from eth_hash.auto import keccak

from protocol.attribution import Lane, LaneUnits, merge
from protocol.epoch import Commitment, Statement, build_commitment
from protocol.ledger_records import (
    NO_COMMITMENT,
    EpochData,
    EpochRecords,
    PublishedCommitment,
    commitment_record,
    published_commitment,
    published_statement,
    statement_record,
)
from protocol.parameters import DEFAULTS
from protocol.receipt import Receipt, Voucher, hash_receipt, hash_voucher, receipts_sum_root
from protocol.receipt_faults import PaymentRecords
from protocol.receipt_watch import ClaimedVoucher, Evidence, leaves_of
from protocol.rewards import Line, paid_of, receipt_lines, stakers_account
from protocol.types import Address
from tests.protocol.records import account, manifest, receipt, terms, word

TREASURY = account(102)
ROWS = manifest([1, 2, 3, 1, 2, 4])
PRICES = (0, 1, 7, 999, 10**6, 123_456_789, 10**18 + 7)


@dataclass(frozen=True)
class PlayedEpoch:
    """One epoch as it should be: the statements and commitment, what they leave on chain, and their data."""

    statements: tuple[Statement, ...]
    commitment: Commitment
    records: EpochRecords
    data: EpochData
    vouchers: Mapping[bytes, ClaimedVoucher]


@dataclass
class Channel:
    """A node's channel: its receipts so far, what they cost, and what was claimed of it."""

    id: bytes
    receipts: list[Receipt] = field(default_factory=list)
    claimed: int = 0

    @property
    def owed(self) -> int:
        return sum(one.price for one in self.receipts)


@dataclass(frozen=True)
class Played:
    """Several epochs of the same nodes, and what other contracts say of their payments in the end."""

    epochs: tuple[PlayedEpoch, ...]
    evidence: Evidence


def play(
    seed: int,
    epochs: int = 3,
    channels: Mapping[Address, Sequence[bytes]] | None = None,
    most: int = 4,
    partial: bool = True,
    treasury: Address = TREASURY,
    prices: Sequence[int] = PRICES,
) -> Played:
    """`channels` gives each node its channels' ids; otherwise one to three nodes with one or two each.
    `partial`: some claims pay only a part of what is owed, and some answers are for contracts.
    """
    random = Random(seed)
    if channels is None:
        nodes = [account(7 + place) for place in range(random.randint(1, 3))]
        channels = {
            node: [word("channel", seed, node, place) for place in range(random.randint(1, 2))]
            for node in nodes
        }
    table = _Table(random, seed, {node: [Channel(one) for one in ids] for node, ids in channels.items()})
    table.most, table.partial, table.treasury, table.prices = most, partial, treasury, prices
    played: list[PlayedEpoch] = []
    while len(played) < epochs:
        one = table.epoch(len(played), played[-1].commitment if played else None)
        if one is not None:
            played.append(one)
    return Played(tuple(played), table.evidence(played))


@dataclass
class _Table:
    """The state of play."""

    random: Random
    seed: int
    nodes: Mapping[Address, Sequence[Channel]]
    answers: dict[bytes, bytes] = field(default_factory=dict)
    most: int = 4
    partial: bool = True
    treasury: Address = TREASURY
    prices: Sequence[int] = PRICES

    def epoch(self, number: int, previous: Commitment | None) -> PlayedEpoch | None:
        statements, vouchers = [], {}
        for node, channels in self.nodes.items():
            paid: list[tuple[Receipt, int]] = []
            for channel in channels:
                before = channel.claimed
                paid += self._claim(node, channel)
                if channel.claimed > before:
                    vouchers[channel.id] = claimed_voucher(channel.id, tuple(channel.receipts))
            if self.partial and self.random.random() < 0.4:
                asked = _asked(self.random, self.seed, number, node)
                self.answers[asked.channel_id] = hash_receipt(asked, keccak)
                paid.append((asked, asked.price))
            if paid:
                statements.append(_statement(self.random, node, number, paid, self.treasury))
        if not statements:
            return None
        before_all = {} if previous is None else dict(previous.cumulative)
        commitment = build_commitment(number, statements, before_all, keccak)
        return _played(number, tuple(statements), commitment, previous, vouchers)

    def _claim(self, node: Address, channel: Channel) -> list[tuple[Receipt, int]]:
        for _ in range(self.random.randint(0, self.most)):
            channel.receipts.append(_next(self.random, self.seed, node, channel, self.prices))
        upto = channel.owed
        if self.partial and self.random.random() < 0.5:
            upto = self.random.randint(channel.claimed, channel.owed)
        parts = paid_of([one.price for one in channel.receipts], channel.claimed, upto)
        channel.claimed = upto
        return [(one, part) for one, part in zip(channel.receipts, parts, strict=True) if part]

    def evidence(self, played: Sequence[PlayedEpoch]) -> Evidence:
        """The last voucher of each channel is what stays on chain."""
        claimed = {channel: last for one in played for channel, last in one.vouchers.items()}
        payments = PaymentRecords(
            vouchers={one: hash_voucher(last.voucher, keccak) for one, last in claimed.items()},
            payees={channel.id: node for node, channels in self.nodes.items() for channel in channels},
            answers=self.answers,
            splits={DEFAULTS.version: DEFAULTS.split},
            treasuries={DEFAULTS.version: self.treasury},
        )
        return Evidence(payments, claimed)


def _next(random: Random, seed: int, node: Address, channel: Channel, prices: Sequence[int]) -> Receipt:
    seq, price = len(channel.receipts) + 1, random.choice(prices)
    return replace(
        receipt(seq, price),
        request_id=word("request", seed, node, channel.id, seq),
        channel_id=channel.id,
        node=node,
        cumulative=channel.owed + price,
    )


def _asked(random: Random, seed: int, number: int, node: Address) -> Receipt:
    """An answer to a contract, whose request is a channel of its own."""
    request = word("asked", seed, number, node)
    price = random.choice(PRICES[1:])
    return replace(receipt(1, price), request_id=word("asked for", request), channel_id=request, node=node)


def _statement(
    random: Random, node: Address, number: int, paid: Sequence[tuple[Receipt, int]], treasury: Address
) -> Statement:
    lines: list[Line] = []
    for one, part in paid:
        units = LaneUnits(
            Lane.GRADIENT,
            tuple((row, random.randint(1, 9)) for row in range(random.randint(0, len(ROWS.rows)))),
            random.randint(0, 3),
            True,
        )
        report = merge([units], DEFAULTS.lane_weights, ROWS, bytes(32))
        parties = terms(operator=node, stakers_account=stakers_account(node, keccak), treasury=treasury)
        lines += receipt_lines(one, part, report, parties, DEFAULTS)
    receipts = sorted((one for one, _ in paid), key=lambda one: (one.channel_id, one.seq))
    return Statement(node, number, tuple(sorted(lines)), tuple(receipts))


def _played(
    number: int,
    statements: tuple[Statement, ...],
    commitment: Commitment,
    previous: Commitment | None,
    vouchers: Mapping[bytes, ClaimedVoucher],
) -> PlayedEpoch:
    records = EpochRecords(
        number,
        {one.node: statement_record(one, keccak) for one in statements},
        commitment_record(commitment),
        NO_COMMITMENT if previous is None else commitment_record(previous),
    )
    data = EpochData(
        {one.node: published_statement(one) for one in statements},
        published_commitment(commitment),
        PublishedCommitment() if previous is None else published_commitment(previous),
    )
    return PlayedEpoch(statements, commitment, records, data, vouchers)


def claimed_voucher(channel: bytes, receipts: tuple[Receipt, ...]) -> ClaimedVoucher:
    """The voucher that acknowledges these receipts, with their leaves."""
    root = receipts_sum_root(receipts, keccak)
    voucher = Voucher(channel, root.total, root.count, root.digest, 2**64 - 1)
    return ClaimedVoucher(voucher, leaves_of(receipts, keccak))
