"""Pushed notices (eth_subscribe) of one WebSocket connection: new heads, logs and transaction hashes."""

import json
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from node.chain.embedded import shapes
from node.chain.embedded.chain import MinedBlock, log_rows
from node.chain.embedded.errors import LIMIT_EXCEEDED, RpcError
from node.chain.embedded.index import LogFilter
from node.chain.embedded.params import invalid, log_filter

MAX_SUBSCRIPTIONS = 100


@dataclass(frozen=True)
class Subscription:
    """What one subscription wants; `wanted` only for logs."""

    kind: str
    wanted: LogFilter


class Subscriptions:
    """The subscriptions of one connection; `push` takes a message to send and must not block."""

    def __init__(self, push: Callable[[str], None]) -> None:
        self._push = push
        self._subscriptions: dict[str, Subscription] = {}

    def subscribe(self, params: Any) -> str:
        """Starts one; returns its id."""
        if not isinstance(params, list) or not 1 <= len(params) <= 2:
            raise invalid("expected a kind and at most one filter")
        if params[0] not in ("newHeads", "logs", "newPendingTransactions"):
            raise invalid("no such subscription")
        if len(self._subscriptions) >= MAX_SUBSCRIPTIONS:
            raise RpcError(LIMIT_EXCEEDED, f"more than {MAX_SUBSCRIPTIONS} subscriptions")
        wanted = log_filter(params[1]) if params[0] == "logs" and len(params) == 2 else LogFilter()
        identity = "0x" + secrets.token_hex(16)
        self._subscriptions[identity] = Subscription(params[0], wanted)
        return identity

    def unsubscribe(self, params: Any) -> bool:
        """Ends one; False if it is not there."""
        if not isinstance(params, list) or len(params) != 1 or not isinstance(params[0], str):
            raise invalid("expected a subscription id")
        return self._subscriptions.pop(params[0], None) is not None

    def announce(self, mined: MinedBlock) -> None:
        """Pushes what a new block holds for each subscription."""
        for identity, subscription in list(self._subscriptions.items()):
            for item in _items(subscription, mined):
                params = {"subscription": identity, "result": item}
                self._push(json.dumps({"jsonrpc": "2.0", "method": "eth_subscription", "params": params}))


def _items(subscription: Subscription, mined: MinedBlock) -> Iterator[Any]:
    if subscription.kind == "newHeads":
        yield shapes.header_json(mined)
    elif subscription.kind == "logs":
        wanted = (log for log in log_rows(mined) if subscription.wanted.matches(log))
        yield from (shapes.log_json(log, mined.block.hash) for log in wanted)
    else:
        yield from (shapes.hex_bytes(transaction.hash) for transaction in mined.block.transactions)
