"""Named places where a crash test stops the process, so that recovery is tested at every step.

`OPENLEDGER_FAILPOINT=name` kills the process with SIGKILL when it reaches `failpoint("name")`; `name:raise`
raises instead; `name:kill:3` acts at the third arrival. Unset, a failpoint is one dictionary lookup.
"""

import os
import signal

from node.errors import OpenLedgerError

VARIABLE = "OPENLEDGER_FAILPOINT"
_arrivals: dict[str, int] = {}


class FailpointReached(OpenLedgerError):
    """Raised at a failpoint that was asked to raise."""


def failpoint(name: str) -> None:
    """Stops here if the environment names this point."""
    wanted = os.environ.get(VARIABLE)
    if not wanted:
        return
    point, _, rest = wanted.partition(":")
    action, _, arrival = rest.partition(":")
    if point != name:
        return
    _arrivals[wanted] = _arrivals.get(wanted, 0) + 1
    if _arrivals[wanted] != int(arrival or 1):
        return
    if action == "raise":
        raise FailpointReached("stopped at a failpoint", name=name)
    os.kill(os.getpid(), signal.SIGKILL)
