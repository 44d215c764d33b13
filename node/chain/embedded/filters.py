"""Polled filters (eth_newFilter and its family): each remembers the next block it has not reported."""

import secrets
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from node.chain.embedded import shapes
from node.chain.embedded.errors import SERVER_ERROR, RpcError
from node.chain.embedded.params import LogQuery, log_query, quantity
from node.chain.embedded.producer import BlockProducer
from node.chain.embedded.reading import get_logs
from node.chain.embedded.registry import Registry

MAX_FILTERS = 1000


@dataclass
class PolledFilter:
    """A log query, or None for block hashes; `next_block` is the first not yet reported."""

    query: LogQuery | None
    next_block: int


class FilterTable:
    """The filters of one server; the least recently polled goes when there are too many."""

    def __init__(self) -> None:
        self._filters: OrderedDict[int, PolledFilter] = OrderedDict()

    def registry(self) -> Registry:
        """The methods, bound to this table."""
        out = Registry()
        out.method("eth_newFilter", log_query)(self.new_log_filter)
        out.method("eth_newBlockFilter")(self.new_block_filter)
        out.method("eth_getFilterChanges", quantity)(self.changes)
        out.method("eth_getFilterLogs", quantity)(self.logs)
        out.method("eth_uninstallFilter", quantity)(self.uninstall)
        return out

    def _add(self, query: LogQuery | None, producer: BlockProducer) -> str:
        while len(self._filters) >= MAX_FILTERS:
            self._filters.popitem(last=False)
        identity = secrets.randbits(63)
        self._filters[identity] = PolledFilter(query, producer.chain.head.block_number + 1)
        return hex(identity)

    def _get(self, identity: int) -> PolledFilter:
        if identity not in self._filters:
            raise RpcError(SERVER_ERROR, "filter not found")
        self._filters.move_to_end(identity)
        return self._filters[identity]

    def new_log_filter(self, producer: BlockProducer, query: LogQuery) -> str:
        """Reports logs of later blocks that match."""
        return self._add(query, producer)

    def new_block_filter(self, producer: BlockProducer) -> str:
        """Reports hashes of later blocks."""
        return self._add(None, producer)

    def changes(self, producer: BlockProducer, identity: int) -> list[Any]:
        """What is new since the last poll."""
        polled, head = self._get(identity), int(producer.chain.head.block_number)
        # After a rewind the chain may be shorter than what was reported.
        first = min(polled.next_block, head + 1)
        polled.next_block = head + 1
        if first > head:
            return []
        if polled.query is None:
            heights = range(first, head + 1)
            return [shapes.hex_bytes(producer.chain.header(height).hash) for height in heights]
        return list(get_logs(producer, LogQuery(polled.query.wanted, None, first, head)))

    def logs(self, producer: BlockProducer, identity: int) -> list[Any]:
        """Every log the filter's own range holds."""
        polled = self._get(identity)
        if polled.query is None:
            raise RpcError(SERVER_ERROR, "filter not found")
        return list(get_logs(producer, polled.query))

    def uninstall(self, _: BlockProducer, identity: int) -> bool:
        """Forgets a filter; False if it is not there."""
        return self._filters.pop(identity, None) is not None
