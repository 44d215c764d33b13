"""The settlement's events, written down as they come and taken back with the blocks that said them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from node.chain.events import ChainEvent
from node.store.epochs import EpochStore, StoredClaim, StoredCommitment, StoredRollover, StoredStatement
from protocol.cid import cid_from_binary
from protocol.errors import CidError

CONTRACTS = ("PaymentChannels", "EpochSettlement")


class SettlementMirror:
    """An event handler over `CONTRACTS`. Claims and rollovers are kept for one node, the rest for all."""

    def __init__(self, store: EpochStore, node: str) -> None:
        self._store = store
        self._node = node
        self._writers = {
            "VoucherClaimed": self._claimed,
            "FundsRolledOver": self._rolled_over,
            "StatementPublished": self._stated,
            "EpochCommitted": self._committed,
            "EpochFinalized": self._finalized,
            "StatementVoided": self._statement_voided,
            "CommitmentVoided": self._commitment_voided,
        }

    def apply(self, event: ChainEvent) -> None:
        """Write down what one event says; others are passed over."""
        writer = self._writers.get(event.name) if event.contract in CONTRACTS else None
        if writer is not None:
            writer(event, event.values)

    def rewind(self, block: int) -> None:
        """Forget what blocks after `block` said."""
        self._store.forget_after(block)

    def _claimed(self, event: ChainEvent, values: Mapping[str, Any]) -> None:
        if values["payee"].lower() == self._node:
            claim = StoredClaim(event.block, event.position, values["epoch"], values["id"], values["delta"])
            self._store.put_claim(claim)

    def _rolled_over(self, event: ChainEvent, values: Mapping[str, Any]) -> None:
        if values["node"].lower() == self._node:
            epochs = values["fromEpoch"], values["toEpoch"]
            self._store.put_rollover(StoredRollover(event.block, event.position, *epochs))

    def _stated(self, event: ChainEvent, values: Mapping[str, Any]) -> None:
        self._store.put_statement(
            StoredStatement(
                epoch=values["epoch"],
                node=values["node"].lower(),
                root=values["root"],
                total=values["total"],
                cid=_cid_text(values["cid"]),
                block=event.block,
            )
        )

    def _committed(self, event: ChainEvent, values: Mapping[str, Any]) -> None:
        self._store.put_commitment(
            StoredCommitment(
                epoch=values["epoch"],
                cum_root=values["cumRoot"],
                total=values["total"],
                data_cid=_cid_text(values["dataCid"]),
                block=event.block,
                position=event.position,
            )
        )

    def _finalized(self, event: ChainEvent, values: Mapping[str, Any]) -> None:
        self._store.put_final(values["epoch"], event.block)

    def _statement_voided(self, event: ChainEvent, values: Mapping[str, Any]) -> None:
        self._store.put_voided_statement(values["epoch"], values["node"].lower(), event.block)

    def _commitment_voided(self, event: ChainEvent, values: Mapping[str, Any]) -> None:
        self._store.put_voided_commitments(values["epoch"], event.block, event.position)


def _cid_text(binary: bytes) -> str:
    """The CID's text, or nothing: whoever writes nonsense on chain must not stop those who read it."""
    try:
        return cid_from_binary(binary).text
    except CidError:
        return ""
