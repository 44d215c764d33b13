"""When to turn vouchers into money, and doing it: the latest voucher of each channel, before it can be lost.

A claim costs gas, so it waits for the end of the epoch, unless the voucher would expire or the payer leaves
first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from node.chain.rpc import Chain
from node.chain.transactor import Transactor
from node.errors import OpenLedgerError
from node.failpoints import failpoint
from node.log import get_logger
from node.payments.channels import Channels
from node.payments.credit import SessionLimit
from node.store.channels import ChannelStore, StoredChannel, StoredVoucher
from protocol.receipt import Voucher, solidity_tuple

log = get_logger("claimer")

# PaymentChannels.MAX_BATCH
MAX_BATCH = 64


@dataclass(frozen=True)
class Timing:
    """The end of the epoch, and how early before an end (seconds) a claim should be sent."""

    epoch_end: int
    lead: int


def claimable(channel: StoredChannel, voucher: StoredVoucher) -> int:
    """Wei that a claim would move now."""
    return max(0, min(voucher.cumulative, channel.deposited) - channel.claimed)


def is_due(
    channel: StoredChannel, voucher: StoredVoucher, session: SessionLimit | None, now: int, timing: Timing
) -> bool:
    """Whether the voucher should be claimed now, if it moves anything. One that is too late is never due."""
    ends = [voucher.valid_before] if session is None else [voucher.valid_before, session.expires_at]
    if now >= min(ends):
        return False
    if channel.withdrawable_at:
        ends.append(channel.withdrawable_at)
    return now + timing.lead >= min(*ends, timing.epoch_end)


class Claimer:
    """Claims this node's vouchers."""

    def __init__(
        self,
        chain: Chain,
        channels: Channels,
        store: ChannelStore,
        transactor: Transactor,
        clock: Callable[[], int],
    ) -> None:
        self._chain = chain
        self._contract = chain.contract("PaymentChannels")
        self._channels = channels
        self._store = store
        self._transactor = transactor
        self._clock = clock

    def claim_due(self, timing: Timing) -> int:
        """Claim every voucher that is due; return how many wei were there to move."""
        due = [voucher for voucher in self._store.vouchers() if self._is_due(voucher, timing)]
        moved = 0
        for start in range(0, len(due), MAX_BATCH):
            moved += self._claim(due[start : start + MAX_BATCH])
        return moved

    def has_claimable(self) -> bool:
        """Whether some voucher would still move money."""
        return any(claimable(self._channels.refresh(one.channel_id), one) for one in self._store.vouchers())

    def _is_due(self, voucher: StoredVoucher, timing: Timing) -> bool:
        channel = self._channels.refresh(voucher.channel_id)
        if claimable(channel, voucher) == 0:
            return False
        session = None
        if voucher.signer != channel.payer:
            session = self._channels.session_limit(voucher.channel_id, voucher.signer)
        due = is_due(channel, voucher, session, self._clock(), timing)
        if not due and self._clock() >= voucher.valid_before:
            log.error("voucher_expired", channel_id=voucher.channel_id.hex(), cumulative=voucher.cumulative)
        return due

    def _claim(self, batch: Sequence[StoredVoucher]) -> int:
        """One transaction for the whole batch; if that cannot be, each voucher by itself."""
        worth = sum(claimable(self._channels.channel(one.channel_id), one) for one in batch)
        vouchers = [solidity_tuple(_voucher(one)) for one in batch]
        try:
            self._transactor.send(
                self._contract.functions.claimMany(vouchers, [one.signature for one in batch])
            )
        except OpenLedgerError as error:
            if len(batch) == 1:
                log.error("claim_failed", channel_id=batch[0].channel_id.hex(), error=str(error))
                return 0
            # One bad voucher must not keep the others from being paid.
            return sum(self._claim([one]) for one in batch)
        failpoint("claim.mined")
        for one in batch:
            self._channels.refresh(one.channel_id)
        log.info("vouchers_claimed", count=len(batch), amount=worth)
        return worth


def _voucher(stored: StoredVoucher) -> Voucher:
    return Voucher(
        stored.channel_id, stored.cumulative, stored.receipt_count, stored.receipts_root, stored.valid_before
    )
