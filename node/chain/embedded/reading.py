"""Methods that read blocks, accounts, transactions and logs, or execute without leaving a trace."""

from importlib.metadata import version
from typing import Any

from node.chain.embedded import execution, index, shapes, tracing
from node.chain.embedded.chain import MinedBlock, log_rows
from node.chain.embedded.errors import LIMIT_EXCEEDED, RpcError
from node.chain.embedded.params import (
    BlockRef,
    CallRequest,
    LogQuery,
    address,
    anything,
    block_ref,
    boolean,
    call_request,
    data,
    hash32,
    invalid,
    log_query,
    quantity,
)
from node.chain.embedded.producer import BlockProducer
from node.chain.embedded.registry import Registry
from node.chain.keccak import keccak
from node.errors import NotFound

READING = Registry()

MAX_LOGS = 10_000


@READING.method("web3_clientVersion")
def client_version(_: BlockProducer) -> str:
    return f"OpenLedger-embedded/py-evm/{version('py-evm')}"


@READING.method("web3_sha3", data)
def sha3(_: BlockProducer, payload: bytes) -> str:
    return shapes.hex_bytes(keccak(payload))


@READING.method("net_version")
def net_version(producer: BlockProducer) -> str:
    return str(producer.chain.chain_id)


@READING.method("net_listening")
def net_listening(_: BlockProducer) -> bool:
    return True


@READING.method("eth_chainId")
def chain_id(producer: BlockProducer) -> str:
    return hex(producer.chain.chain_id)


@READING.method("eth_syncing")
def syncing(_: BlockProducer) -> bool:
    return False


@READING.method("eth_mining")
def mining(_: BlockProducer) -> bool:
    return False


@READING.method("eth_blockNumber")
def block_number(producer: BlockProducer) -> str:
    return hex(producer.chain.head.block_number)


# Accounts


def _state(producer: BlockProducer, ref: BlockRef | None) -> Any:
    return producer.chain.state(producer.header(ref if ref is not None else "latest"))


@READING.method("eth_getBalance", address, block_ref, required=1)
def get_balance(producer: BlockProducer, account: bytes, ref: BlockRef | None) -> str:
    return hex(_state(producer, ref).get_balance(account))


@READING.method("eth_getCode", address, block_ref, required=1)
def get_code(producer: BlockProducer, account: bytes, ref: BlockRef | None) -> str:
    return shapes.hex_bytes(_state(producer, ref).get_code(account))


@READING.method("eth_getStorageAt", address, quantity, block_ref, required=2)
def get_storage_at(producer: BlockProducer, account: bytes, slot: int, ref: BlockRef | None) -> str:
    return shapes.hex_word(_state(producer, ref).get_storage(account, slot))


@READING.method("eth_getTransactionCount", address, block_ref, required=1)
def get_transaction_count(producer: BlockProducer, account: bytes, ref: BlockRef | None) -> str:
    if ref == "pending":
        return hex(producer.pending_nonce(account))
    return hex(_state(producer, ref).get_nonce(account))


# Blocks and transactions


def _block(producer: BlockProducer, ref: BlockRef) -> MinedBlock | None:
    try:
        return producer.chain.block(producer.header(ref).hash)
    except NotFound:
        return None


@READING.method("eth_getBlockByNumber", block_ref, boolean, required=1)
def get_block_by_number(producer: BlockProducer, ref: BlockRef, full: bool | None) -> shapes.Json | None:
    found = _block(producer, ref)
    return shapes.block_json(found, bool(full)) if found else None


@READING.method("eth_getBlockByHash", hash32, boolean, required=1)
def get_block_by_hash(producer: BlockProducer, block_hash: bytes, full: bool | None) -> shapes.Json | None:
    return get_block_by_number(producer, block_hash, full)  # type: ignore[no-any-return]


@READING.method("eth_getBlockTransactionCountByNumber", block_ref)
def get_block_transaction_count(producer: BlockProducer, ref: BlockRef) -> str | None:
    found = _block(producer, ref)
    return hex(len(found.block.transactions)) if found else None


@READING.method("eth_getBlockReceipts", block_ref)
def get_block_receipts(producer: BlockProducer, ref: BlockRef) -> list[shapes.Json] | None:
    found = _block(producer, ref)
    return [_receipt(found, place) for place in range(len(found.receipts))] if found else None


@READING.method("eth_getTransactionByHash", hash32)
def get_transaction_by_hash(producer: BlockProducer, tx_hash: bytes) -> shapes.Json | None:
    place = producer.chain.transaction(tx_hash)
    if place is not None:
        return shapes.transaction_json(*place)
    waiting = producer.pool.by_hash.get(tx_hash)
    return shapes.pending_json(waiting) if waiting is not None else None


@READING.method("eth_getTransactionReceipt", hash32)
def get_transaction_receipt(producer: BlockProducer, tx_hash: bytes) -> shapes.Json | None:
    place = producer.chain.transaction(tx_hash)
    return _receipt(*place) if place is not None else None


def _receipt(mined: MinedBlock, place: int) -> shapes.Json:
    logs = [log for log in log_rows(mined) if log.transaction_position == place]
    return shapes.receipt_json(mined, place, logs)


# Logs


@READING.method("eth_getLogs", log_query)
def get_logs(producer: BlockProducer, query: LogQuery) -> list[shapes.Json]:
    first, last = _log_range(producer, query)
    found = index.find_logs(producer.chain.connection, query.wanted, first, last, MAX_LOGS + 1)
    if len(found) > MAX_LOGS:
        raise RpcError(LIMIT_EXCEEDED, f"query returned more than {MAX_LOGS} results")
    hashes = {number: producer.chain.header(number).hash for number in {log.block for log in found}}
    return [shapes.log_json(log, hashes[log.block]) for log in found]


def _log_range(producer: BlockProducer, query: LogQuery) -> tuple[int, int]:
    if query.block_hash is not None:
        found = index.block_number(producer.chain.connection, query.block_hash)
        if found is None:
            raise NotFound("unknown block", hash=shapes.hex_bytes(query.block_hash))
        return found, found
    first, last = (
        ref if isinstance(ref, int) else _height(producer, ref) for ref in (query.first, query.last)
    )
    if first > last:
        raise invalid("invalid block range")
    return first, last


def _height(producer: BlockProducer, ref: BlockRef) -> int:
    return int(producer.header(ref).block_number)


# Execution


@READING.method("eth_call", call_request, block_ref, anything, required=1)
def call(producer: BlockProducer, request: CallRequest, ref: BlockRef | None, overrides: Any) -> str:
    _refuse_overrides(overrides)
    header = producer.environment(ref if ref is not None else "latest")
    return shapes.hex_bytes(execution.call(producer.chain, header, request))


@READING.method("eth_estimateGas", call_request, block_ref, anything, required=1)
def estimate_gas(producer: BlockProducer, request: CallRequest, ref: BlockRef | None, overrides: Any) -> str:
    _refuse_overrides(overrides)
    # An estimate is for the block to come, so `latest` means that block's number and time too.
    header = producer.environment(ref if isinstance(ref, int | bytes) else "pending")
    return hex(execution.estimate_gas(producer.chain, header, request))


def _refuse_overrides(overrides: Any) -> None:
    if overrides:
        raise invalid("state overrides are not supported")


@READING.method("txpool_status")
def txpool_status(producer: BlockProducer) -> shapes.Json:
    return {"pending": hex(len(producer.pool.by_hash)), "queued": "0x0"}


@READING.method("eth_getRawTransactionByHash", hash32)
def get_raw_transaction(producer: BlockProducer, tx_hash: bytes) -> str | None:
    place = producer.chain.transaction(tx_hash)
    transaction = place[0].block.transactions[place[1]] if place else producer.pool.by_hash.get(tx_hash)
    return shapes.hex_bytes(transaction.encode()) if transaction is not None else None


@READING.method("debug_traceTransaction", hash32, anything, required=1)
def trace_transaction(producer: BlockProducer, tx_hash: bytes, options: Any) -> shapes.Json:
    place = producer.chain.transaction(tx_hash)
    if place is None:
        raise NotFound("transaction not found", hash=shapes.hex_bytes(tx_hash))
    return tracing.trace(producer.chain, *place, tracing.trace_options(options))
