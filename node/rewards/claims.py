"""Taking what a final root grants: the proof from the stored table, the transaction for whoever earned it.

Anyone may relay a claim; the money goes to the account that the proof names. Entitlements are cumulative,
so that a claim repeated, or lost and sent again, moves only what is still open.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from node.chain.rpc import Chain
from node.chain.transactor import Transactor
from node.errors import NotFound
from node.failpoints import failpoint
from node.log import get_logger
from node.settlement.aggregator import commitment_data
from node.settlement.records import Records
from node.store.epochs import EpochStore
from protocol.epoch import Commitment, claim_proof
from protocol.hashing import ZERO_WORD, Keccak
from protocol.rewards import stakers_account
from protocol.sumtree import SumProof
from protocol.types import Address

log = get_logger("rewards")


@dataclass(frozen=True)
class Entitlement:
    """An account's standing under the newest final root, in wei; `epoch` None before the first final
    epoch.
    """

    account: str
    epoch: int | None
    cumulative: int
    claimed: int

    @property
    def claimable(self) -> int:
        """What a claim would move now."""
        return max(0, self.cumulative - self.claimed)


class Claims:
    """Reads entitlements and relays claims."""

    def __init__(
        self,
        chain: Chain,
        transactor: Transactor,
        epochs: EpochStore,
        records: Records,
        keccak: Keccak,
        follow: Callable[[], object],
    ) -> None:
        self._chain = chain
        self._settlement = chain.contract("EpochSettlement")
        self._distributor = chain.contract("RewardDistributor")
        self._transactor = transactor
        self._epochs = epochs
        self._records = records
        self._keccak = keccak
        self._follow = follow
        self._tables: dict[int, Commitment] = {}

    def entitlement(self, account: Address) -> Entitlement:
        """What an account may claim under the newest final root."""
        claimed: int = self._distributor.functions.claimed(self._checksum(account)).call()
        table = self._final()
        if table is None:
            return Entitlement(account, None, 0, claimed)
        return Entitlement(account, table.epoch, dict(table.cumulative).get(account, 0), claimed)

    def proof(self, account: Address) -> tuple[int, SumProof]:
        """The account's cumulative amount (wei) and its proof under the newest final root; NotFound for
        none.
        """
        table = self._final()
        if table is None or account not in dict(table.cumulative):
            raise NotFound("the account has earned nothing in a final epoch", account=account)
        return dict(table.cumulative)[account], claim_proof(table, account, self._keccak)

    def claim(self, account: Address) -> int:
        """Pay an account what is open; return the wei moved, 0 where nothing is."""
        open_amount = self.entitlement(account).claimable
        if open_amount == 0:
            return 0
        cumulative, proof = self.proof(account)
        self._transactor.send(
            self._distributor.functions.claim(self._checksum(account), cumulative, solidity_proof(proof))
        )
        failpoint("reward.claim_sent")
        log.info("reward_claimed", account=account, amount=open_amount)
        return open_amount

    def claim_for_stakers(self, node: Address) -> int:
        """Pay what a node's stakers earned into its pool; return the wei moved."""
        account = stakers_account(node, self._keccak)
        open_amount = self.entitlement(account).claimable
        if open_amount == 0:
            return 0
        cumulative, proof = self.proof(account)
        self._transactor.send(
            self._distributor.functions.claimForStakers(
                self._checksum(node), cumulative, solidity_proof(proof)
            )
        )
        failpoint("reward.claim_sent")
        log.info("stakers_rewarded", node=node, amount=open_amount)
        return open_amount

    def _final(self) -> Commitment | None:
        epoch, cum_root, _ = self._settlement.functions.latestFinal().call()
        if cum_root == ZERO_WORD:
            return None
        if epoch not in self._tables:
            stored = self._epochs.commitment(epoch)
            if stored is None or stored.cum_root != cum_root:
                self._follow()
                stored = self._epochs.commitment(epoch)
            if stored is None or stored.cum_root != cum_root:
                raise NotFound("the final commitment is not mirrored yet", epoch=epoch)
            # Only the newest table is ever asked for.
            self._tables = {epoch: commitment_data(self._records, stored, self._keccak)}
        return self._tables[epoch]

    def _checksum(self, address: str) -> Any:
        return self._chain.web3.to_checksum_address(address)


def solidity_proof(proof: SumProof) -> tuple[int, int, list[tuple[bytes, int]]]:
    """The proof as contract calls take it."""
    return proof.index, proof.count, list(proof.path)
