"""Server-sent events from the worker: bytes in, (event, data) pairs out. Pure; bounded by MAX_EVENT_BYTES."""

from node.errors import LimitExceeded

MAX_EVENT_BYTES = 8 * 1024 * 1024


class EventParser:
    """Collects bytes until a blank line ends an event. Accepts \\n and \\r\\n; comments and ids are
    ignored.
    """

    def __init__(self) -> None:
        self._buffer = b""

    def feed(self, chunk: bytes) -> list[tuple[str, str]]:
        """The events completed by this chunk."""
        self._buffer = (self._buffer + chunk).replace(b"\r\n", b"\n")
        *complete, self._buffer = self._buffer.split(b"\n\n")
        if max(map(len, [self._buffer, *complete])) > MAX_EVENT_BYTES:
            raise LimitExceeded("an event of the worker is too large", limit=MAX_EVENT_BYTES)
        events = (_event(block.decode("utf-8")) for block in complete)
        return [event for event in events if event is not None]


def _event(block: str) -> tuple[str, str] | None:
    name, data = "message", []
    for line in block.split("\n"):
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "event":
            name = value
        elif field == "data":
            data.append(value)
    return (name, "\n".join(data)) if data else None
