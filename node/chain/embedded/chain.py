"""The chain itself: a py-evm chain at the Prague rules with one writer, an index, and the power to go back.

It only appends blocks, reads any of them and rewinds; which transactions go in, and when, is the producer's
business.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from eth.chains.base import MiningChain
from eth.constants import GENESIS_PARENT_HASH, POST_MERGE_DIFFICULTY, POST_MERGE_MIX_HASH, POST_MERGE_NONCE
from eth.exceptions import HeaderNotFound
from eth.vm.forks.prague import PragueVM

from node.chain.embedded import index
from node.chain.embedded.database import PairStore, open_connection, read_setting, write_setting
from node.chain.embedded.devnet import DEVNET_BALANCE
from node.errors import ConfigError, NotFound

BLOCK_GAS_LIMIT = 30_000_000
CACHED_BLOCKS = 512

# py-evm is untyped at our border: headers, blocks, receipts, transactions and states are its objects.
Header = Any
Block = Any
Receipt = Any
Transaction = Any
State = Any


@dataclass(frozen=True)
class MinedBlock:
    """A block with its receipts, in transaction order."""

    block: Block
    receipts: tuple[Receipt, ...]

    @property
    def number(self) -> int:
        """The block's height."""
        return int(self.block.number)


def chain_class(chain_id: int) -> type[MiningChain]:
    """A py-evm chain class for this chain id, at Prague from the first block, with a constant gas limit."""

    class DevelopmentChain(MiningChain):  # type: ignore[misc]
        vm_configuration = ((0, PragueVM),)

        def create_header_from_parent(self, parent: Header, **fields: Any) -> Header:
            return super().create_header_from_parent(parent, **{**fields, "gas_limit": parent.gas_limit})

    DevelopmentChain.chain_id = chain_id
    return DevelopmentChain


def _genesis_header(timestamp: int) -> dict[str, object]:
    return {
        "coinbase": b"\0" * 20,
        "difficulty": POST_MERGE_DIFFICULTY,
        "extra_data": b"",
        "gas_limit": BLOCK_GAS_LIMIT,
        "mix_hash": POST_MERGE_MIX_HASH,
        "nonce": POST_MERGE_NONCE,
        "timestamp": timestamp,
    }


class EmbeddedChain:
    """Opens the file at `path`, or creates a genesis at `timestamp` that funds each of `funded`."""

    def __init__(self, path: str, chain_id: int, funded: Sequence[bytes], timestamp: int) -> None:
        self.chain_id = chain_id
        self.connection = open_connection(path)
        self.pairs = PairStore(self.connection)
        self._class = chain_class(chain_id)
        self._recent: OrderedDict[bytes, MinedBlock] = OrderedDict()
        recorded = read_setting(self.connection, "chain_id")
        if recorded is not None and int(recorded) != chain_id:
            self.connection.close()
            raise ConfigError("the file holds another chain", recorded=int(recorded), asked=chain_id)
        self._chain = self._create(funded, timestamp) if recorded is None else self._class(self.pairs)
        self.head: Header = self._chain.chaindb.get_canonical_head()

    def _create(self, funded: Sequence[bytes], timestamp: int) -> MiningChain:
        account = {"balance": DEVNET_BALANCE, "nonce": 0, "code": b"", "storage": {}}
        allocation = {address: dict(account) for address in funded}
        chain = self._class.from_genesis(self.pairs, _genesis_header(timestamp), allocation)
        genesis = chain.chaindb.get_canonical_head()
        with self.pairs.commit() as connection:
            write_setting(connection, "chain_id", str(self.chain_id))
            index.add_block(connection, 0, genesis.hash, (), ())
        return chain

    def close(self) -> None:
        """Closes the file."""
        self.connection.close()

    # Reading

    def header(self, number: int) -> Header:
        """The canonical header at a height; raises NotFound beyond the head."""
        if number == self.head.block_number:
            return self.head
        found = index.block_hash(self.connection, number)
        if found is None:
            raise NotFound("no block at this height", number=number, head=int(self.head.block_number))
        return self._chain.chaindb.get_block_header_by_hash(found)

    def block(self, block_hash: bytes) -> MinedBlock:
        """A block by hash with its receipts; raises NotFound for one this chain never made."""
        if block_hash in self._recent:
            return self._recent[block_hash]
        try:
            block = self._chain.get_block_by_hash(block_hash)
        except HeaderNotFound as error:
            raise NotFound("no such block", hash="0x" + block_hash.hex()) from error
        return self._keep(MinedBlock(block, tuple(block.get_receipts(self._chain.chaindb))))

    def transaction(self, tx_hash: bytes) -> tuple[MinedBlock, int] | None:
        """The canonical block that holds a transaction and its position there, or None."""
        place = index.transaction_place(self.connection, tx_hash)
        if place is None:
            return None
        number, position = place
        return self.block(self.header(number).hash), position

    def _keep(self, mined: MinedBlock) -> MinedBlock:
        self._recent[mined.block.hash] = mined
        while len(self._recent) > CACHED_BLOCKS:
            self._recent.popitem(last=False)
        return mined

    def state(self, header: Header) -> State:
        """The state after `header`, as an environment in which calls see that header's number and time."""
        vm = self._chain.get_vm(header)
        return vm.build_state(self.pairs, header, vm.chain_context, vm.previous_hashes)

    def replay(
        self, mined: MinedBlock, place: int, vm_class: type[PragueVM], before_each: Callable[[], None]
    ) -> tuple[Receipt, Any]:
        """Runs a block's transactions up to `place` again on another VM; nothing is kept.

        Returns the last one's receipt (its gas within the block) and computation.
        """
        parent = self._chain.get_block_header_by_hash(mined.block.header.parent_hash)
        header = self._chain.create_header_from_parent(parent)
        header = header.copy(timestamp=mined.block.header.timestamp, coinbase=mined.block.header.coinbase)
        ordinary = self._chain.get_vm(header)
        vm = vm_class(header, self._chain.chaindb, ordinary.chain_context, ordinary.consensus_context)
        receipt = computation = None
        for transaction in mined.block.transactions[: place + 1]:
            before_each()
            receipt, computation = vm.apply_transaction(header, transaction)
            header = vm.add_receipt_to_header(header, receipt)
        return receipt, computation

    def next_header(self, timestamp: int) -> Header:
        """The header that a block on the head would start from."""
        return self._chain.create_header_from_parent(self.head).copy(timestamp=timestamp)

    @property
    def transaction_builder(self) -> Any:
        """py-evm's decoder and factory of transactions."""
        return PragueVM.get_transaction_builder()

    # Writing

    def append(self, transactions: Sequence[Transaction], timestamp: int, offset: int) -> MinedBlock:
        """Executes the transactions into one block on the head and makes it durable; all of them or none.

        `offset` is the chain clock's, stored with the block so that time goes on after a restart.
        """
        self._chain.header = self.next_header(timestamp)
        try:
            result, receipts, _ = self._chain.mine_all(transactions)
            mined = MinedBlock(result.imported_block, tuple(receipts))
            self._store(mined, offset)
        except BaseException:
            self.pairs.discard()
            self._chain = self._class(self.pairs)
            raise
        self.head = mined.block.header
        return self._keep(mined)

    def _store(self, mined: MinedBlock, offset: int) -> None:
        hashes = [transaction.hash for transaction in mined.block.transactions]
        with self.pairs.commit() as connection:
            index.add_block(connection, mined.number, mined.block.hash, hashes, log_rows(mined))
            write_setting(connection, "offset", str(offset))

    def rewind(self, number: int) -> None:
        """Makes the block at `number` the head again and forgets all later ones."""
        header = self.header(number)
        chaindb = self._chain.chaindb
        chaindb._set_as_canonical_chain_head(chaindb.db, header, GENESIS_PARENT_HASH)
        with self.pairs.commit() as connection:
            index.remove_above(connection, number)
        self._chain = self._class(self.pairs)
        self.head = header

    def stored_offset(self) -> int:
        """The clock offset that was in force at the last block."""
        return int(read_setting(self.connection, "offset") or 0)


def log_rows(mined: MinedBlock) -> list[index.LogRow]:
    """Every log of a block, numbered within the block."""
    rows: list[index.LogRow] = []
    pairs = zip(mined.block.transactions, mined.receipts, strict=True)
    for place, (transaction, receipt) in enumerate(pairs):
        for log in receipt.logs:
            topics = tuple(int(topic).to_bytes(32, "big") for topic in log.topics)
            rows.append(
                index.LogRow(
                    mined.number, len(rows), place, transaction.hash, log.address, topics, bytes(log.data)
                )
            )
    return rows
