"""Blocks, transactions, receipts and logs in the shapes of the Ethereum JSON-RPC."""

from typing import Any

import rlp
from eth_utils.address import to_checksum_address

from node.chain.embedded.chain import MinedBlock, Transaction
from node.chain.embedded.index import LogRow
from node.chain.embedded.pool import type_of
from node.chain.keccak import keccak

Json = dict[str, Any]


def hex_bytes(value: bytes) -> str:
    """0x and two digits per byte."""
    return "0x" + bytes(value).hex()


def hex_word(value: int) -> str:
    """0x and 64 digits."""
    return f"0x{value:064x}"


def address_text(value: bytes) -> str | None:
    """Checksummed; None for the empty address of a creation."""
    return str(to_checksum_address(value)) if value else None


def header_json(mined: MinedBlock) -> Json:
    """What `newHeads` sends: the header's fields and hash."""
    header = mined.block.header
    return {
        "number": hex(header.block_number),
        "hash": hex_bytes(header.hash),
        "parentHash": hex_bytes(header.parent_hash),
        "nonce": hex_bytes(header.nonce),
        "sha3Uncles": hex_bytes(header.uncles_hash),
        "logsBloom": hex_bytes(header.bloom.to_bytes(256, "big")),
        "transactionsRoot": hex_bytes(header.transaction_root),
        "stateRoot": hex_bytes(header.state_root),
        "receiptsRoot": hex_bytes(header.receipt_root),
        "miner": address_text(header.coinbase),
        "difficulty": hex(header.difficulty),
        "extraData": hex_bytes(header.extra_data),
        "gasLimit": hex(header.gas_limit),
        "gasUsed": hex(header.gas_used),
        "timestamp": hex(header.timestamp),
        "mixHash": hex_bytes(header.mix_hash),
        "baseFeePerGas": hex(header.base_fee_per_gas),
        "withdrawalsRoot": hex_bytes(header.withdrawals_root),
        "blobGasUsed": hex(header.blob_gas_used),
        "excessBlobGas": hex(header.excess_blob_gas),
        "parentBeaconBlockRoot": hex_bytes(header.parent_beacon_block_root),
        "requestsHash": hex_bytes(header.requests_hash),
    }


def block_json(mined: MinedBlock, full: bool) -> Json:
    """A block with its transactions, whole or by hash."""
    transactions = mined.block.transactions
    size = len(rlp.encode(mined.block.header)) + sum(
        len(transaction.encode()) for transaction in transactions
    )
    listed: list[Any] = (
        [transaction_json(mined, place) for place in range(len(transactions))]
        if full
        else [hex_bytes(transaction.hash) for transaction in transactions]
    )
    extra = {
        "totalDifficulty": "0x0",
        "size": hex(size),
        "uncles": [],
        "withdrawals": [],
        "transactions": listed,
    }
    return {**header_json(mined), **extra}


def transaction_json(mined: MinedBlock, place: int) -> Json:
    """A mined transaction with its place."""
    transaction = mined.block.transactions[place]
    return {
        **_transaction_fields(transaction),
        "gasPrice": hex(effective_gas_price(transaction, mined.block.header.base_fee_per_gas)),
        "blockHash": hex_bytes(mined.block.hash),
        "blockNumber": hex(mined.number),
        "transactionIndex": hex(place),
    }


def pending_json(transaction: Transaction) -> Json:
    """A transaction that waits in the pool."""
    place = {"blockHash": None, "blockNumber": None, "transactionIndex": None}
    return {**_transaction_fields(transaction), "gasPrice": hex(transaction.max_fee_per_gas), **place}


def _transaction_fields(transaction: Transaction) -> Json:
    kind = type_of(transaction)
    body: Json = {
        "hash": hex_bytes(transaction.hash),
        "type": hex(kind),
        "nonce": hex(transaction.nonce),
        "from": address_text(transaction.sender),
        "to": address_text(transaction.to),
        "value": hex(transaction.value),
        "gas": hex(transaction.gas),
        "input": hex_bytes(transaction.data),
        "r": hex(transaction.r),
        "s": hex(transaction.s),
    }
    if kind == 0:
        return body | {"v": hex(transaction.v)}
    body |= {
        "chainId": hex(transaction.chain_id),
        "v": hex(transaction.y_parity),
        "yParity": hex(transaction.y_parity),
        "accessList": [
            {"address": address_text(account), "storageKeys": [hex_word(int(slot)) for slot in slots]}
            for account, slots in transaction.access_list
        ],
    }
    if kind >= 2:
        body["maxFeePerGas"] = hex(transaction.max_fee_per_gas)
        body["maxPriorityFeePerGas"] = hex(transaction.max_priority_fee_per_gas)
    return body


def effective_gas_price(transaction: Transaction, base_fee: int) -> int:
    """Wei per gas that a transaction paid in a block with this base fee."""
    if type_of(transaction) < 2:
        return int(transaction.gas_price)
    return int(min(transaction.max_fee_per_gas, base_fee + transaction.max_priority_fee_per_gas))


def receipt_json(mined: MinedBlock, place: int, logs: list[LogRow]) -> Json:
    """A receipt; `logs` are those of this transaction."""
    transaction, receipt = mined.block.transactions[place], mined.receipts[place]
    gas_before = mined.receipts[place - 1].gas_used if place else 0
    created = None if transaction.to else keccak(rlp.encode([transaction.sender, transaction.nonce]))[12:]
    return {
        "transactionHash": hex_bytes(transaction.hash),
        "transactionIndex": hex(place),
        "blockHash": hex_bytes(mined.block.hash),
        "blockNumber": hex(mined.number),
        "from": address_text(transaction.sender),
        "to": address_text(transaction.to),
        "contractAddress": address_text(created) if created else None,
        "cumulativeGasUsed": hex(receipt.gas_used),
        "gasUsed": hex(receipt.gas_used - gas_before),
        "effectiveGasPrice": hex(effective_gas_price(transaction, mined.block.header.base_fee_per_gas)),
        "logs": [log_json(log, mined.block.hash) for log in logs],
        "logsBloom": hex_bytes(receipt.bloom.to_bytes(256, "big")),
        "status": "0x1" if receipt.state_root == b"\x01" else "0x0",
        "type": hex(type_of(transaction)),
    }


def log_json(log: LogRow, block_hash: bytes) -> Json:
    """A log with its place."""
    return {
        "address": address_text(log.address),
        "topics": [hex_bytes(topic) for topic in log.topics],
        "data": hex_bytes(log.data),
        "blockNumber": hex(log.block),
        "blockHash": hex_bytes(block_hash),
        "transactionHash": hex_bytes(log.transaction_hash),
        "transactionIndex": hex(log.transaction_position),
        "logIndex": hex(log.position),
        "removed": False,
    }
