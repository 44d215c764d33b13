"""Epochs as a test plays them: claims, statements by the rules of `protocol.epoch`, commitment, finality."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from node.chain.keccak import keccak
from protocol.epoch import Commitment, Statement, build_commitment, claim_proof, statement_root
from protocol.receipt import Receipt, receipts_sum_root, solidity_tuple
from protocol.rewards import lines_of
from protocol.types import Address
from tests.contracts.channel import OpenChannel, open_channel
from tests.contracts.world import Mined, World

CID = b"\x01\x55\x12\x20" + b"\x07" * 32
Shares = Mapping[str, int]


def receipt_of(world: World, node: str, price: int, **changed: Any) -> Receipt:
    """A receipt of a node's; digests that no contract looks into are of its request."""
    request = changed.pop("request_id", keccak(f"{node} {price}".encode()))
    base = Receipt(
        request_id=request,
        channel_id=keccak(b"channel"),
        seq=1,
        model_id=1,
        datanet_version_key=(1 << 64) | 1,
        prompt_digest=request,
        output_root=request,
        attribution_root=request,
        method_id=request,
        profile_id=request,
        parameters_version=1,
        prompt_tokens=7,
        output_tokens=9,
        price=price,
        cumulative=price,
        node=world.plain(node),
        requested_at=world.now,
        issued_at=world.now,
    )
    return replace(base, **changed)


@dataclass
class Ledger:
    """The oracle beside the contracts: what everyone has earned by `protocol`, epoch after epoch."""

    world: World
    commitments: list[Commitment] = field(default_factory=list)
    _channels: dict[str, OpenChannel] = field(default_factory=dict)
    _asked: dict[str, int] = field(default_factory=dict)

    @property
    def epoch(self) -> int:
        return int(self.world.settlement.functions.currentEpoch().call())

    @property
    def previous(self) -> dict[Address, int]:
        return dict(self.commitments[-1].cumulative) if self.commitments else {}

    def end_of(self, epoch: int) -> int:
        """The first second after the epoch."""
        return int(self.world.record["genesis"]) + (epoch + 1) * self.world.settings.epoch_length

    def earn(self, node: str, amount: int) -> int:
        """The payer pays a node `amount`; returns the epoch that it was claimed in."""
        if node not in self._channels:
            salt = keccak(node.encode())
            self._channels[node] = open_channel(self.world, 10**20, payee=node, salt=salt)
        self._asked[node] = self._asked.get(node, 0) + amount
        mined = self._channels[node].claim(self._asked[node], sender=node)
        (event,) = self.world.events(mined, self.world.channels, "VoucherClaimed")
        return int(event["epoch"])

    def statement(self, epoch: int, node: str, shares: Shares) -> Statement:
        """A statement of one receipt, whose price goes to `shares` (actor or address -> wei)."""
        receipt = receipt_of(self.world, node, sum(shares.values()), seq=epoch + 1)
        earners = [(self.earner(name), amount) for name, amount in shares.items()]
        return Statement(self.world.plain(node), epoch, lines_of(receipt.request_id, earners), (receipt,))

    def earner(self, name: str) -> Address:
        return self.world.plain(name) if name in self.world.signers else Address(name)

    def publish(self, statement: Statement, sender: str, **changed: Any) -> Mined:
        """Publishes a statement on chain; `changed` spoils single arguments."""
        root = statement_root(statement, keccak)
        arguments = {
            "epoch": statement.epoch,
            "root": root.digest,
            "count": root.count,
            "total": root.total,
            "receiptsRoot": receipts_sum_root(statement.receipts, keccak).digest,
            "cid": CID,
        } | changed
        call = self.world.settlement.functions.publishStatement(*arguments.values())
        return self.world.send(call, sender)

    def commit(
        self, commitment: Commitment, sender: str = "node", at: int | None = None, **changed: Any
    ) -> Mined:
        """Commits on chain, bonded by `sender`; `changed` spoils single fields."""
        fields = {
            "epoch": commitment.epoch,
            "prevCumRoot": self.commitments[-1].cum_root.digest if self.commitments else bytes(32),
            "entryRoot": commitment.entry_root.digest,
            "cumRoot": commitment.cum_root.digest,
            "total": commitment.total,
            "dataCid": CID,
        } | changed
        mined = self.world.send(self.world.settlement.functions.commit(tuple(fields.values())), sender, at)
        self.commitments.append(commitment)
        return mined

    def build(self, epoch: int, statements: Sequence[Statement]) -> Commitment:
        return build_commitment(epoch, statements, self.previous, keccak)

    def settle(self, node: str, shares: Shares) -> Commitment:
        """One whole epoch: a payment, its statement, the commitment, its finality."""
        epoch = self.earn(node, sum(shares.values()))
        self.world.pass_to(self.end_of(epoch))
        statement = self.statement(epoch, node, shares)
        self.publish(statement, node)
        commitment = self.build(epoch, [statement])
        mined = self.commit(commitment, node)
        self.finalize(epoch, at=mined.time + self.world.settings.challenge_window)
        return commitment

    def finalize(self, epoch: int, at: int | None = None, sender: str = "stranger") -> Mined:
        return self.world.send(self.world.settlement.functions.finalize(epoch), sender, at)

    def claim(self, account: str, sender: str = "stranger", commitment: Commitment | None = None) -> Mined:
        """Claims all that the account has earned under the last commitment."""
        commitment = commitment or self.commitments[-1]
        earner = self.earner(account)
        proof = claim_proof(commitment, earner, keccak)
        cumulative = dict(commitment.cumulative)[earner]
        return self.claim_with(earner, cumulative, (proof.index, proof.count, list(proof.path)), sender)

    def claim_with(self, account: str, cumulative: int, proof: Any, sender: str = "stranger") -> Mined:
        claim = self.world.distributor.functions.claim
        return self.world.send(claim(World.checksum(account), cumulative, proof), sender)


def solidity_receipt(receipt: Receipt) -> tuple[Any, ...]:
    """A receipt as web3 takes it."""
    values = solidity_tuple(receipt)
    return tuple(World.checksum(value) if isinstance(value, str) else value for value in values)
