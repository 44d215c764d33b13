"""One engine in a process of its own: reads requests as JSON lines, answers each with one line.

`python -m benchmarks.openlora.worker MODULE` imports `benchmarks.openlora.peers.MODULE` and calls its
`build(options)`. Whatever the engine prints goes to stderr. Standard library alone; the engine's module
brings the rest.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from collections.abc import Mapping
from typing import Any, Protocol, TextIO

from benchmarks.openlora.case import Case, Sample


class Peer(Protocol):
    """An engine with its adapters loaded."""

    def facts(self) -> Mapping[str, object]:
        """Versions, and whatever else a reader of its figures must know."""

    def measure(self, case: Case) -> Sample:
        """Run one case from its prompts to its last step."""


def answer(peer: Peer | None, request: Mapping[str, Any], module: str) -> tuple[Peer, dict[str, Any]]:
    """The peer, built by the first request, and the answer to this one."""
    if peer is None:
        built: Peer = importlib.import_module(f"benchmarks.openlora.peers.{module}").build(request["build"])
        return built, {"facts": dict(built.facts())}
    return peer, peer.measure(Case.from_json(request["measure"])).to_json()


def serve(module: str, requests: TextIO, answers: TextIO) -> None:
    """Answer until the requests end. An engine's failure is an answer too."""
    peer: Peer | None = None
    for line in requests:
        try:
            peer, reply = answer(peer, json.loads(line), module)
        except Exception as error:  # noqa: BLE001 - whatever a peer raises becomes the reason in the table
            reply = {"error": f"{type(error).__name__}: {error}"}
        answers.write(json.dumps(reply) + "\n")
        answers.flush()


def main() -> None:
    """Keep the pipe to ourselves, for engines print to stdout as they like."""
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as answers:
        os.dup2(2, 1)
        serve(sys.argv[1], sys.stdin, answers)


if __name__ == "__main__":
    main()
