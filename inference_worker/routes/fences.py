"""Fencing tokens: what an older assignment of a request still sends is refused."""

from __future__ import annotations

from collections import OrderedDict

from inference_worker.errors import WorkerError

MAX_FENCES = 65_536


class StaleFence(WorkerError):
    """A newer assignment of the same request is known here."""

    code = "stale_fence"

    def __init__(self, request_id: str, newest: int, actual: int) -> None:
        super().__init__(f"request {request_id}: fence {actual} is older than {newest}")
        self.request_id, self.newest, self.actual = request_id, newest, actual


class Fences:
    """The newest fencing token of each request, for the most recent requests."""

    def __init__(self, size: int = MAX_FENCES) -> None:
        self._size = size
        self._newest: OrderedDict[tuple[str, str], int] = OrderedDict()

    def check(self, kind: str, request_id: str, fence: int) -> None:
        """Raise StaleFence for a token older than one seen; else remember it."""
        key = (kind, request_id)
        newest = self._newest.get(key, fence)
        if fence < newest:
            raise StaleFence(request_id, newest, fence)
        self._newest[key] = fence
        self._newest.move_to_end(key)
        if len(self._newest) > self._size:
            self._newest.popitem(last=False)
