"""From the statements of an epoch to its commitment on chain, and from there to finality.

Any bonded node may do this, and each would post the same bytes. Nodes take turns by a draw, so that they do
not race; one that stays away is passed over after a while.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from node.chain.rpc import Chain
from node.chain.transactor import Transactor
from node.errors import IntegrityError, NotFound, Refused
from node.failpoints import failpoint
from node.log import get_logger
from node.settlement.publisher import stored_lines
from node.settlement.records import Records
from node.store.epochs import EpochStore, StoredCommitment, StoredStatement
from protocol.cid import parse_cid
from protocol.epoch import Commitment, Statement, build_commitment, statement_root
from protocol.epoch_json import decode_commitment, decode_statement, encode_commitment
from protocol.errors import ProtocolError
from protocol.hashing import ZERO_WORD, Keccak, address_word, tag, words
from protocol.types import Address

log = get_logger("aggregator")

COMMIT_BOND = "commitBond"


class StakeTooSmall(Refused):
    """The node's own free stake does not cover the bond of a commitment: another node must commit."""


@dataclass(frozen=True)
class Clock:
    """EpochSettlement's times, in unix seconds and seconds."""

    genesis: int
    length: int

    def epoch(self, now: int) -> int:
        return (now - self.genesis) // self.length

    def end(self, epoch: int) -> int:
        """The first second after an epoch."""
        return self.genesis + (epoch + 1) * self.length


def turn(epoch: int, node: str, nodes: Sequence[str], keccak: Keccak) -> int:
    """The node's place in the draw for an epoch, 0 for the first; last where it is not among the bonded
    `nodes`.
    """
    draw = tag("aggregator", keccak)
    order = sorted(set(nodes), key=lambda one: keccak(words(draw, epoch, address_word(one))))
    return order.index(node) if node in order else len(order)


class Aggregator:
    """Commits and finalizes epochs in one node's name."""

    def __init__(
        self,
        chain: Chain,
        transactor: Transactor,
        epochs: EpochStore,
        records: Records,
        node: Address,
        keccak: Keccak,
        clock: Clock,
    ) -> None:
        self._chain = chain
        self._settlement = chain.contract("EpochSettlement")
        self._staking = chain.contract("NodeStaking")
        self._parameters = chain.contract("ProtocolParameters")
        self._guardian = chain.contract("Guardian")
        self._transactor = transactor
        self._epochs = epochs
        self._records = records
        self._node = node
        self._keccak = keccak
        self._clock = clock

    def commit_due(self, now: int) -> int | None:
        """Commit the next stated epoch if it can be and it is this node's turn; return it, or None."""
        exists, epoch = self._settlement.functions.nextToCommit().call()
        if not exists or not self._is_ready(epoch, now) or not self._is_our_turn(epoch, now):
            return None
        self._check_stake()
        previous = self._previous()
        commitment = self.build(epoch, previous)
        cid = self._records.put(encode_commitment(commitment), f"commitment {epoch}")
        previous_root = ZERO_WORD if previous is None else previous.cum_root
        self._transactor.send(
            self._settlement.functions.commit(
                (
                    epoch,
                    previous_root,
                    commitment.entry_root.digest,
                    commitment.cum_root.digest,
                    commitment.total,
                    cid.binary,
                )
            )
        )
        failpoint("commit.sent")
        log.info("epoch_committed", epoch=epoch, total=commitment.total)
        return int(epoch)

    def finalize_due(self, now: int) -> int | None:
        """Finalize the oldest open commitment once its window is over and nothing holds it; return it."""
        for stored in self._epochs.commitments():
            # Known to be final, so not asked about again: epochs only become more.
            if stored.final_block is not None:
                continue
            record = self._settlement.functions.getCommitment(stored.epoch).call()
            final_at, is_final = record[5], record[6]
            if is_final:
                continue
            if final_at == 0 or now < final_at or self._is_held(stored.epoch, now):
                return None
            self._transactor.send(self._settlement.functions.finalize(stored.epoch))
            failpoint("finalize.sent")
            log.info("epoch_finalized", epoch=stored.epoch)
            return stored.epoch
        return None

    def has_open(self) -> bool:
        """Whether some stated epoch is not committed, or some committed one not final."""
        committed = {stored.epoch: stored for stored in self._epochs.commitments()}
        return any(
            epoch not in committed or committed[epoch].final_block is None
            for epoch in self._epochs.stated_epochs()
        )

    def build(self, epoch: int, previous: StoredCommitment | None) -> Commitment:
        """The one commitment that an epoch's published statements allow, each checked against the chain."""
        statements = [self._statement(stored) for stored in self._epochs.statements(epoch)]
        before = {} if previous is None else dict(self.data(previous).cumulative)
        commitment = build_commitment(epoch, statements, before, self._keccak)
        stated: int = self._settlement.functions.statedTotal(epoch).call()
        expected = stated + (0 if previous is None else previous.total)
        if commitment.total != expected:
            raise IntegrityError(
                "the statements known do not make what was stated",
                epoch=epoch,
                total=commitment.total,
                expected=expected,
            )
        return commitment

    def data(self, stored: StoredCommitment) -> Commitment:
        """The table behind a commitment, checked against its root. Raises NotFound or IntegrityError."""
        return commitment_data(self._records, stored, self._keccak)

    def _statement(self, stored: StoredStatement) -> Statement:
        try:
            statement = decode_statement(self._records.get(parse_cid(stored.cid)))
        except ProtocolError as error:
            raise IntegrityError(
                "a published statement is unreadable", node=stored.node, reason=str(error)
            ) from error
        root = statement_root(statement, self._keccak)
        if (statement.node, statement.epoch, root.digest) != (stored.node, stored.epoch, stored.root):
            raise IntegrityError("a statement is not the one that was published", node=stored.node)
        self._epochs.put_lines(statement.epoch, statement.node, stored_lines(statement))
        return statement

    def _previous(self) -> StoredCommitment | None:
        epoch, cum_root, _ = self._settlement.functions.latestCommitted().call()
        if cum_root == ZERO_WORD:
            return None
        stored = self._epochs.commitment(epoch)
        if stored is None or stored.cum_root != cum_root:
            raise NotFound("the newest commitment is not mirrored yet", epoch=epoch)
        return stored

    def _is_ready(self, epoch: int, now: int) -> bool:
        """EpochSettlement's own rule: everything stated, or one whole epoch given to state it."""
        everyone_stated = self._settlement.functions.waitingFor(epoch).call() == 0
        return now >= self._clock.end(epoch if everyone_stated else epoch + 1)

    def _is_held(self, epoch: int, now: int) -> bool:
        """Whether a dispute, or the guardian, keeps the epoch from becoming final now."""
        holds, until = self._settlement.functions.holdsOn(epoch).call()
        is_paused: bool = self._guardian.functions.isPaused(self._settlement.address).call()
        return is_paused or (holds > 0 and now < until)

    def _is_our_turn(self, epoch: int, now: int) -> bool:
        """Each place in the draw waits a quarter of an epoch longer than the one before it."""
        stated_by = [stored.node for stored in self._epochs.statements(epoch)]
        place = turn(epoch, self._node, stated_by, self._keccak)
        return now >= self._clock.end(epoch) + place * max(1, self._clock.length // 4)

    def _check_stake(self) -> None:
        account: Any = self._chain.web3.to_checksum_address(self._node)
        bond: int = self._parameters.functions.value(self._keccak(COMMIT_BOND.encode())).call()
        free: int = self._staking.functions.freeStake(account).call()
        if free < bond:
            raise StakeTooSmall(
                "a commitment needs more own stake that is not locked", node=self._node, free=free, bond=bond
            )


def commitment_data(records: Records, stored: StoredCommitment, keccak: Keccak) -> Commitment:
    """The table behind a commitment's CID, which must make the root on chain."""
    try:
        commitment = decode_commitment(records.get(parse_cid(stored.data_cid)), keccak)
    except ProtocolError as error:
        raise IntegrityError(
            "a commitment's table is unreadable", epoch=stored.epoch, reason=str(error)
        ) from error
    if commitment.cum_root.digest != stored.cum_root:
        raise IntegrityError(
            "a commitment's table does not make its root",
            epoch=stored.epoch,
            root="0x" + stored.cum_root.hex(),
            computed="0x" + commitment.cum_root.digest.hex(),
        )
    return commitment
