"""The table of JSON-RPC methods: name, parameter parsers, function. The server knows methods only by it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from node.chain.embedded.errors import METHOD_NOT_FOUND, RpcError
from node.chain.embedded.params import Parser, invalid
from node.chain.embedded.producer import BlockProducer

Handler = Callable[..., Any]


@dataclass(frozen=True)
class Method:
    """A handler with a parser for each parameter; those after `required` may be left out or null."""

    handler: Handler
    parsers: tuple[Parser, ...]
    required: int

    def parse(self, params: Any) -> list[Any]:
        """The arguments, or error -32602."""
        given = params if isinstance(params, list) else [] if params is None else [params]
        if len(given) > len(self.parsers):
            raise invalid(f"too many arguments, want at most {len(self.parsers)}")
        padded = [*given, *[None] * (len(self.parsers) - len(given))]
        out = []
        for place, (parser, value) in enumerate(zip(self.parsers, padded, strict=True)):
            if value is None and place < self.required:
                raise invalid(f"missing value for required argument {place}")
            out.append(None if value is None else _parse(parser, value, place))
        return out


def _parse(parser: Parser, value: Any, place: int) -> Any:
    try:
        return parser(value)
    except RpcError as error:
        raise invalid(f"invalid argument {place}: {error.message}") from error


class Registry:
    """Methods by name."""

    def __init__(self) -> None:
        self._methods: dict[str, Method] = {}

    def method(
        self, name: str, *parsers: Parser, required: int | None = None
    ) -> Callable[[Handler], Handler]:
        """Registers a handler that takes the producer and one argument per parser."""

        def register(handler: Handler) -> Handler:
            self._methods[name] = Method(handler, parsers, len(parsers) if required is None else required)
            return handler

        return register

    def merged(self, *others: "Registry") -> "Registry":
        """One table of several; a name in two of them is our own bug."""
        out = Registry()
        for registry in (self, *others):
            assert not out._methods.keys() & registry._methods.keys()
            out._methods |= registry._methods
        return out

    def names(self) -> frozenset[str]:
        """All method names."""
        return frozenset(self._methods)

    def call(self, producer: BlockProducer, name: str, params: Any) -> Any:
        """Runs one request; raises RpcError."""
        method = self._methods.get(name)
        if method is None:
            raise RpcError(METHOD_NOT_FOUND, f"the method {name[:100]} does not exist/is not available")
        return method.handler(producer, *method.parse(params))
