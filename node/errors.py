"""The node's error tree.

    OpenLedgerError                     exit 1
      InvalidInput                      exit 2   what the caller gave cannot be accepted
        LimitExceeded                            it is well formed but too large, too many or too deep
      ConfigError                       exit 2   the operator's configuration is wrong
      NotFound                          exit 3   no such thing
      Conflict                          exit 4   contradicts something already recorded
        StaleFence                               a result came from a holder that no longer holds the job
      Refused                           exit 5   the caller may not do this
        PaymentRequired                          the caller's credit does not cover it
      Unavailable                       exit 6   something outside this process does not answer now
        ChainUnreachable, WorkerUnreachable, Busy
      IntegrityError                    exit 7   bytes, hashes or signatures do not match; never retried
        WrongChain, ReorgTooDeep
      ChainReverted                     exit 8   a contract refused a call, with its decoded reason

Every error carries the values that disagree as keyword facts. Stages derive their own errors from these
classes, so that the API and the CLI translate a category once.
"""

from typing import ClassVar


class OpenLedgerError(Exception):
    """Base of everything this node raises on purpose. `facts` are the values that disagree."""

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, **facts: object) -> None:
        super().__init__(message)
        self.message = message
        self.facts = facts

    def __str__(self) -> str:
        if not self.facts:
            return self.message
        return f"{self.message} ({', '.join(f'{name}={value!r}' for name, value in self.facts.items())})"


class InvalidInput(OpenLedgerError):
    """What the caller gave cannot be accepted."""

    exit_code = 2


class LimitExceeded(InvalidInput):
    """Well formed, but beyond a stated limit."""


class ConfigError(OpenLedgerError):
    """The operator's configuration is wrong."""

    exit_code = 2


class NotFound(OpenLedgerError):
    """No such thing."""

    exit_code = 3


class Conflict(OpenLedgerError):
    """Contradicts something already recorded."""

    exit_code = 4


class StaleFence(Conflict):
    """A late result: its fencing token is no longer the current one."""


class Refused(OpenLedgerError):
    """The caller may not do this."""

    exit_code = 5


class PaymentRequired(Refused):
    """The caller's credit does not cover the request."""


class Unavailable(OpenLedgerError):
    """Something outside this process does not answer now; trying later may help."""

    exit_code = 6


class ChainUnreachable(Unavailable):
    """The chain's RPC endpoint does not answer."""


class WorkerUnreachable(Unavailable):
    """The inference worker does not answer."""


class Busy(Unavailable):
    """A queue or quota is full."""


class IntegrityError(OpenLedgerError):
    """Bytes, hashes or signatures do not match. Never retried."""

    exit_code = 7


class WrongChain(IntegrityError):
    """The endpoint serves another chain than the one recorded."""


class ReorgTooDeep(IntegrityError):
    """The chain was rewritten deeper than this node can rewind."""


class ChainReverted(OpenLedgerError):
    """A contract refused a call: `name` is its custom error (or Error, Panic, Unknown)."""

    exit_code = 8

    def __init__(self, name: str, values: tuple[object, ...] = (), **facts: object) -> None:
        super().__init__(f"{name}({', '.join(repr(value) for value in values)})", **facts)
        self.name = name
        self.values = values
