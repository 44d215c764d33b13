"""Strict parsing of JSON-RPC parameters; anything malformed is error -32602 and never reaches the chain."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from node.chain.embedded.errors import INVALID_PARAMS, RpcError
from node.chain.embedded.index import LogFilter

Parser = Callable[[Any], Any]

QUANTITY = re.compile(r"0x[0-9a-fA-F]{1,64}")
HEX_DATA = re.compile(r"0x(?:[0-9a-fA-F]{2})*")
TAGS = frozenset({"latest", "pending", "safe", "finalized", "earliest"})
MAX_TOPICS = 4
MAX_FILTER_VALUES = 1000


def invalid(message: str) -> RpcError:
    """Error -32602."""
    return RpcError(INVALID_PARAMS, message)


def quantity(value: Any) -> int:
    """A hex quantity. Leading zeros are let pass, since common clients send them."""
    if not isinstance(value, str) or not QUANTITY.fullmatch(value):
        raise invalid("expected a hex quantity such as 0x1a")
    return int(value, 16)


def number(value: Any) -> int:
    """A quantity, or a plain JSON integer where development tools send one."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**64:
        return value
    return quantity(value)


def data(value: Any) -> bytes:
    """Bytes in hex with an even number of digits."""
    if not isinstance(value, str) or not HEX_DATA.fullmatch(value):
        raise invalid("expected hex data such as 0x00ff")
    return bytes.fromhex(value[2:])


def sized(size: int, what: str) -> Parser:
    """A parser of exactly `size` bytes."""

    def parse(value: Any) -> bytes:
        found = data(value)
        if len(found) != size:
            raise invalid(f"expected {what} of {size} bytes, got {len(found)}")
        return found

    return parse


address = sized(20, "an address")
hash32 = sized(32, "a hash")


def boolean(value: Any) -> bool:
    """A JSON boolean."""
    if not isinstance(value, bool):
        raise invalid("expected true or false")
    return value


def anything(value: Any) -> Any:
    """Passes a value on unread."""
    return value


BlockRef = str | int | bytes


def block_ref(value: Any) -> BlockRef:
    """A tag, a height, or a hash (also as the objects of EIP-1898)."""
    if isinstance(value, dict):
        if "blockHash" in value:
            return hash32(value["blockHash"])  # type: ignore[no-any-return]
        value = value.get("blockNumber")
    if isinstance(value, str):
        if value in TAGS:
            return value
        if len(value) == 66:
            return hash32(value)  # type: ignore[no-any-return]
    return quantity(value)


@dataclass(frozen=True)
class CallRequest:
    """The transaction object of eth_call, eth_estimateGas and eth_sendTransaction; amounts in wei."""

    sender: bytes | None
    to: bytes | None
    gas: int | None
    value: int
    data: bytes
    nonce: int | None
    gas_price: int | None
    max_fee: int | None
    max_tip: int | None


def call_request(value: Any) -> CallRequest:
    """Reads a transaction object; `data` and `input` may both be there when they agree."""
    if not isinstance(value, dict):
        raise invalid("expected a transaction object")
    body = {name: content for name, content in value.items() if content is not None}
    payload = data(body.get("input", body.get("data", "0x")))
    if "data" in body and data(body["data"]) != payload:
        raise invalid("data and input differ")
    fields = {
        name: number(body[key]) if key in body else None
        for name, key in (
            ("gas", "gas"),
            ("nonce", "nonce"),
            ("gas_price", "gasPrice"),
            ("max_fee", "maxFeePerGas"),
            ("max_tip", "maxPriorityFeePerGas"),
        )
    }
    return CallRequest(
        sender=address(body["from"]) if "from" in body else None,
        to=address(body["to"]) if body.get("to") not in (None, "", "0x") else None,
        value=number(body["value"]) if "value" in body else 0,
        data=payload,
        **fields,
    )


@dataclass(frozen=True)
class LogQuery:
    """eth_getLogs: a filter and either one block's hash or a range of block references."""

    wanted: LogFilter
    block_hash: bytes | None
    first: BlockRef
    last: BlockRef


def log_query(value: Any) -> LogQuery:
    """Reads a filter object."""
    if not isinstance(value, dict):
        raise invalid("expected a filter object")
    block_hash = hash32(value["blockHash"]) if value.get("blockHash") is not None else None
    if block_hash is not None and (value.get("fromBlock") is not None or value.get("toBlock") is not None):
        raise invalid("blockHash excludes fromBlock and toBlock")
    first, last = value.get("fromBlock"), value.get("toBlock")
    return LogQuery(
        log_filter(value),
        block_hash,
        block_ref(first) if first is not None else "latest",
        block_ref(last) if last is not None else "latest",
    )


def log_filter(value: Any) -> LogFilter:
    """The address and topics of a filter object."""
    if not isinstance(value, dict):
        raise invalid("expected a filter object")
    addresses = _alternatives(value.get("address"), address)
    topics = value.get("topics") or []
    if not isinstance(topics, list) or len(topics) > MAX_TOPICS:
        raise invalid(f"expected at most {MAX_TOPICS} topics")
    return LogFilter(addresses, tuple(_alternatives(topic, hash32) for topic in topics))


def _alternatives(value: Any, parser: Parser) -> frozenset[bytes]:
    if value is None:
        return frozenset()
    values = value if isinstance(value, list) else [value]
    if len(values) > MAX_FILTER_VALUES:
        raise invalid(f"more than {MAX_FILTER_VALUES} alternatives")
    if None in values:
        return frozenset()
    return frozenset(parser(item) for item in values)
