"""The node's bond: how much is staked behind it, who may sign for it, and joining or leaving.

Reads come from NodeStaking; every change goes through the transactor, which saves a transaction before it
is sent.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from web3.contract import Contract

from node.chain.transactor import Transactor


@dataclass(frozen=True)
class Position:
    """A staker's place behind one node; amounts in wei. What the node locked cannot leave yet."""

    node: str
    staked: int
    node_total: int
    node_own: int
    node_locked: int
    pending_rewards: int


class Staking:
    """Reads and changes of one account's stakes."""

    def __init__(self, staking: Contract, token: Contract, transactor: Transactor) -> None:
        self._staking = staking
        self._token = token
        self._transactor = transactor

    def position(self, node: str, staker: str) -> Position:
        """What `staker` has behind `node`."""
        functions = self._staking.functions
        node_address, staker_address = self._checksum(node), self._checksum(staker)
        return Position(
            node=node,
            staked=functions.stakeOf(node_address, staker_address).call(),
            node_total=functions.totalStake(node_address).call(),
            node_own=functions.ownStake(node_address).call(),
            node_locked=functions.locked(node_address).call(),
            pending_rewards=functions.pendingRewards(node_address, staker_address).call(),
        )

    def is_signer(self, node: str, signer: str) -> bool:
        """Whether `signer` may sign receipts for `node`."""
        return bool(self._staking.functions.isSigner(self._checksum(node), self._checksum(signer)).call())

    def was_signer(self, node: str, signer: str) -> bool:
        """Whether `signer` may sign or ever could: what it signed stays valid when it is revoked."""
        return bool(self._staking.functions.wasSigner(self._checksum(node), self._checksum(signer)).call())

    def stake(self, node: str, amount: int) -> Any:
        """Bond `amount` wei behind `node`: an exact allowance, then the deposit."""
        self._transactor.send(self._token.functions.approve(self._staking.address, amount))
        return self._transactor.send(self._staking.functions.stake(self._checksum(node), amount))

    def unbond(self, node: str, shares: int) -> Any:
        """Start the delay after which `shares` can be withdrawn."""
        return self._transactor.send(self._staking.functions.unbond(self._checksum(node), shares))

    def withdraw(self, ticket: int) -> Any:
        """Take out what an elapsed ticket holds."""
        return self._transactor.send(self._staking.functions.withdraw(ticket))

    def authorise_signer(self, signer: str, deadline: int, proof: bytes) -> Any:
        """Let `signer` sign receipts for this account's node; `proof` is the signer's own consent."""
        return self._transactor.send(
            self._staking.functions.authorizeSigner(self._checksum(signer), deadline, proof)
        )

    def claim_rewards(self, node: str) -> Any:
        """Take this account's own part of the node's pool."""
        return self._transactor.send(self._staking.functions.claimRewards(self._checksum(node)))

    def _checksum(self, address: str) -> Any:
        return self._staking.w3.to_checksum_address(address)
