"""Played epochs of the reference model on chain, the last of them right or wrong, and proofs against them."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from node.chain.keccak import keccak
from protocol.fault_calls import ledger_call, receipt_call
from protocol.ledger_faults import LedgerFault
from protocol.ledger_records import CommitmentRecord, StatementRecord
from protocol.ledger_watch import find_ledger_faults
from protocol.receipt import channel_id
from protocol.receipt_faults import StatedFault
from protocol.receipt_watch import ClaimedVoucher, find_receipt_faults
from protocol.types import Address
from tests.contracts.channel import OpenChannel, open_channel, terms_of
from tests.contracts.epochs import CID, Ledger
from tests.contracts.world import Mined, World
from tests.protocol.ledger_corruptions import Corrupted
from tests.protocol.ledgers import Played, PlayedEpoch, play

NODES = ("node", "other_node")
Fault = LedgerFault | StatedFault


@dataclass
class Stage:
    """Two nodes with a channel each play epochs, of which all but the last are stated and committed."""

    ledger: Ledger
    seed: int = 0
    epochs: int = 2

    def __post_init__(self) -> None:
        self.first = self.ledger.epoch
        self.channels: dict[bytes, OpenChannel] = {}
        for actor in NODES:
            opened = open_channel(self.world, 10**20, payee=actor, salt=self._salt(actor))
            self.channels[opened.id] = opened
        for number in range(self.epochs - 1):
            self._settle(number)

    @property
    def world(self) -> World:
        return self.ledger.world

    @cached_property
    def played(self) -> Played:
        """Play that pays in full, through channels alone."""
        ids = {
            self.world.plain(actor): [channel_id(self._terms(actor), self.world.channels_domain, keccak)]
            for actor in NODES
        }
        treasury = Address(self.world.parameters.functions.treasury().call().lower())
        return play(self.seed, self.epochs, ids, partial=False, treasury=treasury)

    @property
    def last(self) -> PlayedEpoch:
        return self.played.epochs[-1]

    @property
    def epoch(self) -> int:
        """The chain's number of the last epoch."""
        return self.first + self.epochs - 1

    def _salt(self, actor: str) -> bytes:
        return keccak(f"stage {actor}".encode())

    def _terms(self, actor: str) -> Any:
        return terms_of(self.world, actor, self._salt(actor))

    def claim(self, vouchers: dict[bytes, ClaimedVoucher]) -> None:
        """The nodes claim these vouchers, which the payer signs whatever they say."""
        for channel, claimed in vouchers.items():
            opened = self.channels[channel]
            signature = opened.sign(claimed.voucher)
            opened.claim_signed(
                claimed.voucher, signature, self._actor(self.played.evidence.payments.payees[channel])
            )

    def publish(self, number: int, records: dict[Address, StatementRecord]) -> None:
        """States what the records say; the total is what was funded, since the contract takes no other."""
        settlement, epoch = self.world.settlement.functions, self.first + number
        for node, record in records.items():
            funded = settlement.funded(epoch, World.checksum(node)).call()
            call = settlement.publishStatement(
                epoch, record.root, record.count, funded, record.receipts_root, CID
            )
            self.world.send(call, self._actor(node))

    def commit(self, number: int, record: CommitmentRecord) -> Mined:
        settlement = self.world.settlement.functions
        previous = settlement.latestCommitted().call()[1]
        fields = (self.first + number, previous, record.entry_root, record.cum_root, record.total, CID)
        return self.world.send(settlement.commit(fields), "node")

    def _settle(self, number: int) -> None:
        played = self.played.epochs[number]
        self.claim(dict(played.vouchers))
        self.end(number)
        self.publish(number, dict(played.records.statements))
        self.commit(number, played.records.commitment)

    def end(self, number: int) -> None:
        self.world.pass_to(self.ledger.end_of(self.first + number))

    def forge(self, wrong: Corrupted) -> None:
        """The last epoch with one thing wrong; without a commitment where the wrong is a statement's."""
        number = self.epochs - 1
        self.claim({one: wrong.evidence.claimed[one] for one in self.last.vouchers})
        self.end(number)
        self.publish(number, dict(wrong.records.statements))
        if wrong.node is None:
            self.commit(number, wrong.records.commitment)

    def honest(self) -> Corrupted:
        """The last epoch as it should be, in a forger's clothes."""
        return Corrupted("honest", None, self.last.records, self.last.data, self.played.evidence)

    def call(self, fault: Fault) -> Any:
        """The proof as a contract call."""
        known = isinstance(fault, LedgerFault)
        function, arguments = ledger_call(fault, self.epoch) if known else receipt_call(fault, self.epoch)  # type: ignore[arg-type]
        judge = self.world.contract("LedgerFaults" if known else "VoucherFaults")
        return judge.functions[function](*checksummed(arguments))

    def prove(self, fault: Fault, sender: str = "challenger") -> Mined:
        return self.world.send(self.call(fault), sender)

    def statement(self, node: Address) -> Any:
        return self.world.settlement.functions.getStatement(self.epoch, World.checksum(node)).call()

    def _actor(self, node: Address) -> str:
        return next(actor for actor in NODES if self.world.plain(actor) == node)


def faults_of(wrong: Corrupted) -> list[Fault]:
    """What a watcher finds, one of each kind."""
    found: list[Fault] = list(find_ledger_faults(wrong.records, wrong.data, keccak))
    if wrong.node is not None:
        published = wrong.data.statements[wrong.node]
        found += find_receipt_faults(wrong.records, wrong.node, published, wrong.evidence, keccak)
    return list({type(fault): fault for fault in reversed(found)}.values())


def checksummed(value: Any) -> Any:
    """The same arguments with addresses as web3 wants them."""
    if isinstance(value, tuple):
        return tuple(checksummed(one) for one in value)
    return World.checksum(Address(value)) if isinstance(value, str) else value
