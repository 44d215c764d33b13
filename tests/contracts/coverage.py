"""Which statements and branches of the contracts ran: Brownie's source maps, read while py-evm executes.

Brownie evaluates its maps over traces that anvil writes, for transactions only. The maps are the same here;
the steps come from the interpreter itself, so calls count too, and a whole run takes minutes less.
"""

import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from eth.vm.code_stream import CodeStream

STOP, JUMPI = 0x00, 0x57
ALIKE = 0.8  # immutables are zero in the compiler's output and filled in on chain


@dataclass
class Coverage:
    """Hits by (contract, path): statements run, branches that fell through, branches that jumped."""

    builds: dict[str, Any]
    hits: dict[tuple[str, str], tuple[set[int], set[int], set[int]]] = field(
        default_factory=lambda: defaultdict(lambda: (set(), set(), set()))
    )
    _known: dict[bytes, str | None] = field(default_factory=dict)
    _done: dict[tuple[str, int], bool] = field(default_factory=dict)

    @classmethod
    def load(cls, folder: Path) -> "Coverage":
        """The builds that scripts/contract_coverage.py compiled."""
        builds = {}
        for path in sorted(folder.glob("*.json")):
            build = json.loads(path.read_text())
            build["pcMap"] = {int(pc): step for pc, step in build["pcMap"].items()}
            build["code"] = bytes.fromhex(build["deployedBytecode"].removeprefix("0x"))
            builds[path.stem] = build
        return cls(builds)

    def name_of(self, code: bytes) -> str | None:
        """The contract whose deployed code this is, immutables apart."""
        if code not in self._known:
            alike = [name for name, build in self.builds.items() if _alike(build["code"], code)]
            self._known[code] = alike[0] if alike else None
        return self._known[code]

    def step(self, name: str, pc: int, landed: int | None, active: set[int]) -> None:
        """One executed instruction; `landed` is where a conditional jump went on."""
        step = self.builds[name]["pcMap"].get(pc)
        if step is None or "path" not in step:
            return
        statements, fell, jumped = self.hits[name, step["path"]]
        if "statement" in step:
            statements.add(step["statement"])
        if "branch" in step:
            if landed is None:
                active.add(step["branch"])
            elif step["branch"] in active:
                (fell if landed == pc + 1 else jumped).add(step["branch"])
                active.discard(step["branch"])

    def save(self, path: Path) -> None:
        """Writes the hits as JSON: [contract, path, statements, fell, jumped]."""
        rows = [[*key, *(sorted(found) for found in sets)] for key, sets in sorted(self.hits.items())]
        path.write_text(json.dumps(rows))


def watch(coverage: Coverage) -> None:
    """Makes py-evm report its steps; for the rest of this process."""

    def steps(stream: Any) -> Iterator[int]:
        code = stream._raw_code_bytes
        name = coverage.name_of(code)
        active: set[int] = set()
        jump: int | None = None
        size = len(code)
        while (pc := stream.program_counter) < size:
            opcode = code[pc]
            if name is not None:
                if jump is not None:
                    coverage.step(name, jump, pc, active)
                jump = pc if opcode == JUMPI else None
                if jump is None:
                    coverage.step(name, pc, None, active)
            stream.program_counter = pc + 1
            yield opcode
        yield STOP

    CodeStream.__iter__ = steps  # type: ignore[method-assign]


def _alike(template: bytes, code: bytes) -> bool:
    if len(template) != len(code):
        return False
    return sum(a == b for a, b in zip(template, code, strict=True)) >= ALIKE * len(code)
