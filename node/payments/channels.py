"""Channels as the contract has them: read when they are needed, kept so that a burst of requests asks once.

The contract decides. A cached row only ever says yes: whatever a cached row would refuse is read again first.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable

from web3.contract import Contract

from node.errors import NotFound
from node.payments.credit import Credit, SessionLimit
from node.payments.vouchers import Issued, VoucherForAnotherChannel
from node.store.channels import ChannelStore, StoredChannel
from node.store.jobs import JobStore
from node.store.receipts import ReceiptStore
from protocol.hashing import Keccak
from protocol.sumfrontier import SumFrontier
from protocol.sumtree import SumLeaf, SumRoot, sum_root
from protocol.types import ZERO_ADDRESS

CACHED_TREES = 4_096


class Channels:
    """Reads PaymentChannels for one node and adds what this node knows: receipts issued and requests open."""

    def __init__(
        self,
        contract: Contract,
        store: ChannelStore,
        receipts: ReceiptStore,
        jobs: JobStore,
        node: str,
        keccak: Keccak,
        clock: Callable[[], int],
        max_age_seconds: int = 2,
    ) -> None:
        self._contract = contract
        self._store = store
        self._receipts = receipts
        self._jobs = jobs
        self._node = node
        self._keccak = keccak
        self._clock = clock
        self._max_age = max_age_seconds
        self._limits: dict[tuple[bytes, str], tuple[SessionLimit, int]] = {}
        # Receipts never change, so that a tree once grown stays right.
        self._trees: OrderedDict[bytes, SumFrontier] = OrderedDict()
        self._lock = threading.Lock()

    def refresh(self, channel_id: bytes) -> StoredChannel:
        """Read the channel from the chain. NotFound where there is none; refused where it pays another
        node.
        """
        payer, payee, delay, deposited, claimed, withdrawable_at = self._contract.functions.getChannel(
            channel_id
        ).call()
        if payer.lower() == ZERO_ADDRESS:
            raise NotFound("no such channel", channel_id="0x" + channel_id.hex())
        if payee.lower() != self._node:
            raise VoucherForAnotherChannel(
                "the channel pays another node", payee=payee.lower(), node=self._node
            )
        channel = StoredChannel(
            channel_id,
            payer.lower(),
            payee.lower(),
            delay,
            deposited,
            claimed,
            withdrawable_at,
            self._clock(),
        )
        self._store.put_channel(channel)
        return channel

    def channel(self, channel_id: bytes) -> StoredChannel:
        """The channel, read from the chain unless that was done a moment ago."""
        held = self._store.find_channel(channel_id)
        if held is not None and 0 <= self._clock() - held.read_at < self._max_age:
            return held
        return self.refresh(channel_id)

    def session_limit(self, channel_id: bytes, signer: str) -> SessionLimit | None:
        """What the payer allowed this signer, or None where it allowed nothing; read a moment ago at most.

        The contract lets a limit shrink only after the channel's withdraw delay, so a moment is safe.
        """
        limit, read_at = self._limits.get((channel_id, signer), (None, 0))
        if limit is not None and 0 <= self._clock() - read_at < self._max_age:
            return limit
        return self.refresh_limit(channel_id, signer)

    def refresh_limit(self, channel_id: bytes, signer: str) -> SessionLimit | None:
        """`session_limit`, read from the chain now."""
        checksummed = self._contract.w3.to_checksum_address(signer)
        cap, expires_at = self._contract.functions.signerCap(channel_id, checksummed).call()
        if cap == 0:
            self._limits.pop((channel_id, signer), None)
            return None
        self._limits[channel_id, signer] = SessionLimit(cap, expires_at), self._clock()
        return SessionLimit(cap, expires_at)

    def credit(self, channel: StoredChannel) -> Credit:
        """The channel's amounts together with what this node has promised and been promised."""
        _, issued = self._receipts.last_of_channel(channel.channel_id)
        voucher = self._store.find_voucher(channel.channel_id)
        return Credit(
            channel_id=channel.channel_id,
            deposited=channel.deposited,
            issued=issued,
            acknowledged=0 if voucher is None else voucher.cumulative,
            reserved=self._jobs.reserved(channel.channel_id),
            withdrawable_at=channel.withdrawable_at,
        )

    def unacknowledged_sessions(self) -> tuple[bytes, ...]:
        """Sessions that have not signed for all of their own receipts yet."""
        return self._receipts.unacknowledged_sessions()

    def issued(self, channel_id: bytes, count: int | None = None) -> Issued:
        """The channel's first `count` receipts (all where None): what a voucher for them must say."""
        last, _ = self._receipts.last_of_channel(channel_id)
        if count is not None and count < last:
            root = sum_root(self._leaves(channel_id, 0, count), self._keccak)
        else:
            root = self._grown(channel_id, last)
        return Issued(root.count, root.total, root.digest)

    def _grown(self, channel_id: bytes, last: int) -> SumRoot:
        """The root over the first `last` receipts, by adding to the tree of an earlier call what came
        since.
        """
        with self._lock:
            tree = self._trees.pop(channel_id, None)
            if tree is None or tree.count > last:
                tree = SumFrontier(self._keccak)
            for leaf in self._leaves(channel_id, tree.count, last):
                tree.append(leaf)
            self._trees[channel_id] = tree
            while len(self._trees) > CACHED_TREES:
                self._trees.popitem(last=False)
            return tree.root()

    def _leaves(self, channel_id: bytes, after: int, upto: int) -> list[SumLeaf]:
        leaves = self._receipts.leaves(channel_id, after, upto)
        return [SumLeaf(key, amount) for key, amount in leaves]
