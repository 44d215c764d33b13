"""Methods by which wallets choose their fees."""

from typing import Any

from node.chain.embedded import shapes
from node.chain.embedded.chain import Header
from node.chain.embedded.params import BlockRef, anything, block_ref, invalid, number
from node.chain.embedded.producer import BlockProducer
from node.chain.embedded.registry import Registry

FEES = Registry()

MAX_FEE_HISTORY = 1024
SUGGESTED_TIP = 10**9


@FEES.method("eth_gasPrice")
def gas_price(producer: BlockProducer) -> str:
    return hex(producer.base_fee() + SUGGESTED_TIP)


@FEES.method("eth_maxPriorityFeePerGas")
def max_priority_fee(_: BlockProducer) -> str:
    return hex(SUGGESTED_TIP)


@FEES.method("eth_feeHistory", number, block_ref, anything, required=2)
def fee_history(producer: BlockProducer, count: int, newest: BlockRef, percentiles: Any) -> shapes.Json:
    last = int(producer.header(newest).block_number)
    first = max(0, last - min(count, MAX_FEE_HISTORY) + 1)
    headers = [producer.chain.header(height) for height in range(first, last + 1)]
    after = (
        producer.base_fee() if last == producer.chain.head.block_number else producer.chain.header(last + 1)
    )
    following = after if isinstance(after, int) else after.base_fee_per_gas
    body = {
        "oldestBlock": hex(first),
        "baseFeePerGas": [hex(header.base_fee_per_gas) for header in headers] + [hex(following)],
        "gasUsedRatio": [header.gas_used / header.gas_limit for header in headers],
        "baseFeePerBlobGas": ["0x1"] * (len(headers) + 1),
        "blobGasUsedRatio": [0.0] * len(headers),
    }
    if percentiles:
        asked = _percentiles(percentiles)
        body["reward"] = [[hex(tip) for tip in _tips(producer, header, asked)] for header in headers]
    return body


def _percentiles(value: Any) -> list[float]:
    numbers = isinstance(value, list) and all(isinstance(item, int | float) for item in value)
    if not numbers or len(value) > 100 or any(not 0 <= item <= 100 for item in value):
        raise invalid("expected at most 100 percentiles between 0 and 100")
    return list(value)


def _tips(producer: BlockProducer, header: Header, percentiles: list[float]) -> list[int]:
    """The tip per gas at each percentile of the block's gas, in the order of rising tips."""
    mined = producer.chain.block(header.hash)
    if not mined.receipts:
        return [0] * len(percentiles)
    totals = [0, *(receipt.gas_used for receipt in mined.receipts)]
    paid = sorted(
        (
            shapes.effective_gas_price(transaction, header.base_fee_per_gas) - header.base_fee_per_gas,
            after - before,
        )
        for transaction, before, after in zip(mined.block.transactions, totals, totals[1:], strict=False)
    )
    return [_tip_at(paid, header.gas_used * percentile / 100) for percentile in percentiles]


def _tip_at(paid: list[tuple[int, int]], gas: float) -> int:
    reached = 0
    for tip, used in paid:
        reached += used
        if reached >= gas:
            return tip
    return paid[-1][0]
