"""When blocks are made and from what: one per transaction, or one per interval; time and snapshots."""

from collections.abc import Callable, Sequence

from eth.exceptions import VMError
from eth_utils.exceptions import ValidationError

from node.chain.embedded.chain import EmbeddedChain, Header, MinedBlock, Transaction
from node.chain.embedded.clock import ChainClock
from node.chain.embedded.devnet import DevnetAccount
from node.chain.embedded.errors import SERVER_ERROR, RpcError
from node.chain.embedded.params import BlockRef
from node.chain.embedded.pool import TransactionPool, check_form, check_funds, refuse

MAX_SNAPSHOTS = 10_000


class BlockProducer:
    """The chain with everything that makes it go: clock, pool, unlocked accounts, snapshots, listeners.

    Not thread-safe: the server calls it from one thread only.
    """

    def __init__(
        self,
        chain: EmbeddedChain,
        accounts: Sequence[DevnetAccount],
        automine: bool,
        clock: ChainClock | None = None,
    ) -> None:
        self.chain = chain
        self.accounts = {account.address: account.key for account in accounts}
        self.automine = automine
        self.clock = clock if clock is not None else ChainClock()
        self.clock.offset = chain.stored_offset()
        self.pool = TransactionPool()
        self.listeners: list[Callable[[MinedBlock], None]] = []
        self._snapshots: dict[int, tuple[int, int]] = {}
        self._next_snapshot = 1

    # Which block a call means

    def header(self, ref: BlockRef) -> Header:
        """The header a reference names; `pending` is the latest one here. Raises NotFound."""
        if isinstance(ref, bytes):
            return self.chain.block(ref).block.header
        if isinstance(ref, int):
            return self.chain.header(ref)
        return self.chain.header(0) if ref == "earliest" else self.chain.head

    def environment(self, ref: BlockRef) -> Header:
        """The header that a call at `ref` runs under.

        With one block per transaction an idle chain's head grows old, so `latest` shows the present time, as
        on a chain that makes a block every few seconds; `pending` is the next block.
        Heights and hashes are exact.
        """
        if ref == "pending":
            return self.chain.next_header(self.clock.stamp(self.chain.head.timestamp))
        header = self.header(ref)
        if ref in ("latest", "safe", "finalized"):
            return header.copy(timestamp=self.clock.now(header.timestamp))
        return header

    def base_fee(self) -> int:
        """Wei per gas that the next block burns."""
        return int(self.chain.next_header(self.chain.head.timestamp + 1).base_fee_per_gas)

    def pending_nonce(self, address: bytes) -> int:
        """The next nonce of an account, counting what waits in the pool."""
        return self.pool.next_nonce(address, self.chain.state(self.chain.head).get_nonce(address))

    # Making blocks

    def submit(self, transaction: Transaction) -> bytes:
        """Takes a signed transaction in and returns its hash; under automine it is mined by then."""
        check_form(transaction, self.chain.chain_id, self.chain.head.gas_limit)
        check_funds(transaction, self.chain.state(self.chain.head), self.base_fee())
        self.pool.add(transaction)
        if self.automine:
            dropped = self._mine_ready()
            if transaction.hash in dropped:
                raise refuse(f"invalid transaction: {dropped[transaction.hash]}")
        return bytes(transaction.hash)

    def _mine_ready(self) -> dict[bytes, str]:
        dropped: dict[bytes, str] = {}
        while ready := self._ready():
            dropped |= self._make_block(ready[:1])
        return dropped

    def mine(self, timestamp: int | None = None) -> MinedBlock:
        """Makes one block of whatever is ready, at `timestamp` if given and possible."""
        if timestamp is not None:
            self.set_next_timestamp(timestamp)
        self._make_block(self._ready())
        return self.chain.block(self.chain.head.hash)

    def _ready(self) -> list[Transaction]:
        if not self.pool.by_hash:
            return []
        return self.pool.ready(self.chain.state(self.chain.head), self.chain.head.gas_limit)

    def _make_block(self, transactions: Sequence[Transaction]) -> dict[bytes, str]:
        """Appends a valid prefix; returns what was dropped because it is invalid by itself."""
        dropped: dict[bytes, str] = {}
        chosen = list(transactions)
        stamp = self.clock.stamp(self.chain.head.timestamp)
        while True:
            try:
                mined = self.chain.append(chosen, stamp, self.clock.offset)
                break
            except (ValidationError, VMError) as error:
                if not chosen:
                    raise
                if len(chosen) == 1:
                    dropped[chosen[0].hash] = str(error)
                    self.pool.remove(chosen[0])
                chosen = chosen[: len(chosen) // 2]
                if not chosen and self.automine:
                    return dropped
        self.clock.mined(stamp)
        for transaction in chosen:
            self.pool.remove(transaction)
        for listener in self.listeners:
            listener(mined)
        return dropped

    # Time and snapshots

    def set_next_timestamp(self, timestamp: int) -> None:
        """Fixes the time of the next block, which must lie after the head's."""
        if timestamp <= self.chain.head.timestamp:
            raise RpcError(
                SERVER_ERROR, f"timestamp {timestamp} is not after the head's {self.chain.head.timestamp}"
            )
        self.clock.next_timestamp = timestamp

    def increase_time(self, seconds: int) -> int:
        """Moves chain time on; returns the offset in seconds."""
        return self.clock.advance(seconds, self.chain.head.timestamp)

    def snapshot(self) -> int:
        """Remembers the present head; the number is for `revert`."""
        if len(self._snapshots) >= MAX_SNAPSHOTS:
            self._snapshots.pop(next(iter(self._snapshots)))
        taken, self._next_snapshot = self._next_snapshot, self._next_snapshot + 1
        self._snapshots[taken] = (self.chain.head.block_number, self.clock.offset)
        return taken

    def revert(self, snapshot: int) -> bool:
        """Goes back to a snapshot; it and all later ones are used up. False when there is none."""
        if snapshot not in self._snapshots:
            return False
        number, offset = self._snapshots[snapshot]
        self._snapshots = {taken: place for taken, place in self._snapshots.items() if taken < snapshot}
        self.chain.rewind(number)
        self.clock.offset, self.clock.next_timestamp = offset, None
        self.pool.clear()
        return True
