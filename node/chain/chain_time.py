"""The time that contracts will see, cheap enough to ask for at every step of a request."""

import time

from node.chain.rpc import Chain


class ChainTime:
    """Unix seconds as contracts will see them, without asking the chain each time.

    A chain whose clock was moved ahead of the wall is believed; how far it is ahead is read at each refresh.
    """

    def __init__(self, chain: Chain) -> None:
        self._chain = chain
        self._ahead = 0
        self.refresh()

    def refresh(self) -> None:
        """Read the head's time."""
        self._ahead = max(0, self._chain.head().timestamp - int(time.time()))

    def __call__(self) -> int:
        return int(time.time()) + self._ahead
