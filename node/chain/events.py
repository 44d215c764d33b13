"""Follows the chain's logs into the node's tables, and undoes what a reorganisation took back.

The hashes of the newest blocks are kept beside the cursor. Each poll finds the newest of them still on the
chain, rewinds to it and applies what follows; what handlers write and the cursor's move are one SQL
transaction. A chain rewritten deeper than that memory is not guessed about: the follower halts.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol, cast

import structlog
from web3.exceptions import BlockNotFound, Web3RPCError
from web3.types import FilterParams, LogReceipt

from node.chain.event_shapes import EventShape, shapes_by_topic
from node.chain.rpc import Chain
from node.errors import ReorgTooDeep, Unavailable

log = structlog.get_logger(component="events")

BLOCKS_PER_QUERY = 500
REMEMBERED_BLOCKS = 64


@dataclass(frozen=True)
class ChainEvent:
    """One decoded log; `contract` is the name in the deployment."""

    contract: str
    name: str
    values: Mapping[str, Any]
    block: int
    block_hash: bytes
    position: int
    transaction_hash: bytes


class EventHandler(Protocol):
    """A stage that mirrors events. Both methods run inside the follower's SQL transaction."""

    def apply(self, event: ChainEvent) -> None:
        """Writes down what one event says."""

    def rewind(self, block: int) -> None:
        """Forgets everything that events of blocks after `block` said."""


class BlockMemory(Protocol):
    """The follower's cursor; `node.store.followed_blocks` is one."""

    def transaction(self) -> AbstractContextManager[object]: ...
    def recent(self) -> Sequence[tuple[int, bytes]]: ...
    def add(self, number: int, block_hash: bytes) -> None: ...
    def remove_after(self, number: int) -> None: ...
    def forget_before(self, number: int) -> None: ...


class ChainMoved(Unavailable):
    """The chain changed while it was being read; the next poll sees the new one."""


class EventFollower:
    """Applies the events of some contracts, from the deployment's first block on, in chain order."""

    def __init__(
        self,
        chain: Chain,
        contracts: Sequence[str],
        handlers: Sequence[EventHandler],
        memory: BlockMemory,
        confirmations: int = 0,
        remembered: int = REMEMBERED_BLOCKS,
    ) -> None:
        self._chain = chain
        self._handlers = tuple(handlers)
        self._memory = memory
        self._confirmations = confirmations
        self._remembered = remembered
        self._shapes: dict[str, Mapping[bytes, EventShape]] = {}
        self._names: dict[str, str] = {}
        for name in contracts:
            address = chain.deployment.address(name)
            self._names[address] = name
            self._shapes[address] = shapes_by_topic(chain.contract(name).abi)

    def poll(self) -> int:
        """Catches up with the head; returns how many events it applied.

        Raises ReorgTooDeep, ChainMoved or ChainUnreachable; nothing is half applied.
        """
        applied = 0
        start = self._rewind_to_common()
        last = self._chain.head().number - self._confirmations
        while start <= last:
            end = min(start + BLOCKS_PER_QUERY - 1, last)
            applied += self._apply(start, end)
            start = end + 1
        return applied

    def cursor(self) -> int | None:
        """The last block applied, or None before the first."""
        recent = self._memory.recent()
        return recent[0][0] if recent else None

    # Reorganisations

    def _rewind_to_common(self) -> int:
        """Undoes blocks that are no longer on the chain; returns the first block to apply."""
        recent = self._memory.recent()
        if not recent:
            return self._chain.deployment.block
        for depth, (number, block_hash) in enumerate(recent):
            if self._hash_of(number) == block_hash:
                if depth:
                    self._rewind(number, recent[0][0])
                return number + 1
        oldest = recent[-1][0]
        raise ReorgTooDeep(
            "the chain was rewritten beyond memory", oldest_remembered=oldest, cursor=recent[0][0]
        )

    def _rewind(self, number: int, cursor: int) -> None:
        log.warning("chain_reorganised", from_block=cursor, to_block=number)
        with self._memory.transaction():
            for handler in reversed(self._handlers):
                handler.rewind(number)
            self._memory.remove_after(number)

    def _hash_of(self, number: int) -> bytes | None:
        try:
            return bytes(self._chain.web3.eth.get_block(number)["hash"])
        except BlockNotFound:
            return None
        except Web3RPCError as error:
            raise ChainMoved("the endpoint cannot read a block", number=number, reason=str(error)) from error

    # Applying

    def _apply(self, start: int, end: int) -> int:
        events = self._events(start, end)
        hashes = {number: self._required_hash(number) for number in self._numbers_to_remember(start, end)}
        on_chain = {
            event.block: hashes.get(event.block) or self._required_hash(event.block) for event in events
        }
        for event in events:
            # Logs and headers come from separate requests: they must speak of the same chain.
            if on_chain[event.block] != event.block_hash:
                raise ChainMoved("logs and blocks disagree", block=event.block)
        with self._memory.transaction():
            for event in events:
                for handler in self._handlers:
                    handler.apply(event)
            for number, block_hash in hashes.items():
                self._memory.add(number, block_hash)
            self._memory.forget_before(end - self._remembered)
        return len(events)

    def _numbers_to_remember(self, start: int, end: int) -> range:
        return range(max(start, end - self._remembered), end + 1)

    def _required_hash(self, number: int) -> bytes:
        found = self._hash_of(number)
        if found is None:
            raise ChainMoved("a block is gone", number=number)
        return found

    def _events(self, start: int, end: int) -> list[ChainEvent]:
        addresses = [self._chain.web3.to_checksum_address(address) for address in self._shapes]
        wanted = {"address": addresses, "fromBlock": start, "toBlock": end}
        logs = self._chain.web3.eth.get_logs(cast(FilterParams, wanted))
        decoded = [self._decode(entry) for entry in logs]
        found = [event for event in decoded if event is not None]
        return sorted(found, key=lambda event: (event.block, event.position))

    def _decode(self, entry: LogReceipt) -> ChainEvent | None:
        address = str(entry["address"]).lower()
        topics = [bytes(topic) for topic in entry["topics"]]
        shape = self._shapes.get(address, {}).get(topics[0]) if topics else None
        if shape is None:
            return None
        return ChainEvent(
            contract=self._names[address],
            name=shape.name,
            values=shape.decode(topics[1:], bytes(entry["data"])),
            block=int(entry["blockNumber"]),
            block_hash=bytes(entry["blockHash"]),
            position=int(entry["logIndex"]),
            transaction_hash=bytes(entry["transactionHash"]),
        )
