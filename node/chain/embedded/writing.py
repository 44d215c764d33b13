"""Methods that change the chain: transactions, and a development chain's mining, time and snapshots."""

from typing import Any

import rlp
from eth.exceptions import UnrecognizedTransactionType
from eth_account import Account
from eth_account.messages import encode_defunct, encode_typed_data
from eth_utils.exceptions import ValidationError

from node.chain.embedded import execution, shapes
from node.chain.embedded.chain import Transaction
from node.chain.embedded.errors import SERVER_ERROR, RpcError
from node.chain.embedded.fees import SUGGESTED_TIP
from node.chain.embedded.params import CallRequest, address, anything, call_request, data, invalid, number
from node.chain.embedded.producer import BlockProducer
from node.chain.embedded.registry import Registry
from protocol.canonical import parse_json

WRITING = Registry()

MAX_BLOCKS_AT_ONCE = 1000
MAX_TIME_JUMP = 100 * 365 * 86400
ESTIMATE_MARGIN_PERCENT = 10


# Transactions


@WRITING.method("eth_accounts")
def accounts(producer: BlockProducer) -> list[str | None]:
    return [shapes.address_text(account) for account in producer.accounts]


@WRITING.method("eth_requestAccounts")
def request_accounts(producer: BlockProducer) -> list[str | None]:
    return [shapes.address_text(account) for account in producer.accounts]


@WRITING.method("eth_sendRawTransaction", data)
def send_raw_transaction(producer: BlockProducer, raw: bytes) -> str:
    try:
        transaction = producer.chain.transaction_builder.decode(raw)
    except (
        rlp.exceptions.RLPException,
        ValidationError,
        UnrecognizedTransactionType,
        ValueError,
        IndexError,
    ) as error:
        raise invalid(f"not a transaction: {type(error).__name__}") from error
    return shapes.hex_bytes(producer.submit(transaction))


@WRITING.method("eth_sendTransaction", call_request)
def send_transaction(producer: BlockProducer, request: CallRequest) -> str:
    key = _unlocked(producer, request.sender)
    unsigned = _fill(producer, request, request.sender or b"")
    return shapes.hex_bytes(
        producer.submit(unsigned.as_signed_transaction(key, chain_id=producer.chain.chain_id))
    )


def _unlocked(producer: BlockProducer, account: bytes | None) -> Any:
    if account not in producer.accounts:
        raise RpcError(SERVER_ERROR, "unknown account")
    return producer.accounts[account]


def _fill(producer: BlockProducer, request: CallRequest, sender: bytes) -> Transaction:
    gas = request.gas
    if gas is None:
        estimate = execution.estimate_gas(producer.chain, producer.environment("pending"), request)
        gas = min(estimate * (100 + ESTIMATE_MARGIN_PERCENT) // 100, producer.chain.head.gas_limit)
    tip = SUGGESTED_TIP if request.max_tip is None else request.max_tip
    cap = request.max_fee if request.max_fee is not None else request.gas_price
    if cap is None:
        cap = 2 * producer.base_fee() + tip
    return producer.chain.transaction_builder.new_unsigned_dynamic_fee_transaction(
        chain_id=producer.chain.chain_id,
        nonce=producer.pending_nonce(sender) if request.nonce is None else request.nonce,
        max_priority_fee_per_gas=min(tip, cap) if request.gas_price is None else cap,
        max_fee_per_gas=cap,
        gas=gas,
        to=request.to or b"",
        value=request.value,
        data=request.data,
        access_list=(),
    )


# Signatures of unlocked accounts


@WRITING.method("personal_sign", data, address, anything, required=2)
def personal_sign(producer: BlockProducer, message: bytes, account: bytes, _password: Any) -> str:
    key = _unlocked(producer, account)
    return shapes.hex_bytes(Account.sign_message(encode_defunct(message), key).signature)


@WRITING.method("eth_sign", address, data)
def sign(producer: BlockProducer, account: bytes, message: bytes) -> str:
    return personal_sign(producer, message, account, None)  # type: ignore[no-any-return]


@WRITING.method("eth_signTypedData_v4", address, anything)
def sign_typed_data(producer: BlockProducer, account: bytes, message: Any) -> str:
    key = _unlocked(producer, account)
    try:
        body: Any = parse_json(message.encode()) if isinstance(message, str) else message
        signable = encode_typed_data(full_message=body)
    except (ValueError, TypeError, KeyError) as error:
        raise invalid(f"not EIP-712 typed data: {error}") from error
    return shapes.hex_bytes(Account.sign_message(signable, key).signature)


# Mining, time, snapshots


@WRITING.method("evm_mine", anything, required=0)
def mine(producer: BlockProducer, options: Any) -> str:
    if isinstance(options, dict):
        stamp = options.get("timestamp")
        _mine_blocks(producer, number(options.get("blocks", 1)), None if stamp is None else number(stamp))
    else:
        # As in other development chains, a bare number is the time of the block.
        _mine_blocks(producer, 1, None if options is None else number(options))
    return "0x0"


def _mine_blocks(producer: BlockProducer, count: int, timestamp: int | None) -> None:
    if count > MAX_BLOCKS_AT_ONCE:
        raise invalid(f"at most {MAX_BLOCKS_AT_ONCE} blocks at once")
    for block in range(count):
        producer.mine(timestamp if block == 0 else None)


@WRITING.method("evm_increaseTime", number)
def increase_time(producer: BlockProducer, seconds: int) -> str:
    if seconds > MAX_TIME_JUMP:
        raise invalid(f"at most {MAX_TIME_JUMP} seconds at once")
    return hex(producer.increase_time(seconds))


@WRITING.method("evm_setNextBlockTimestamp", number)
def set_next_block_timestamp(producer: BlockProducer, timestamp: int) -> None:
    producer.set_next_timestamp(timestamp)


@WRITING.method("evm_snapshot")
def snapshot(producer: BlockProducer) -> str:
    return hex(producer.snapshot())


@WRITING.method("evm_revert", number)
def revert(producer: BlockProducer, taken: int) -> bool:
    return producer.revert(taken)


@WRITING.method("evm_setAutomine", anything)
def set_automine(producer: BlockProducer, enabled: Any) -> bool:
    if not isinstance(enabled, bool):
        raise invalid("expected true or false")
    producer.automine = enabled
    return True
