"""The file that an audit leaves, written after each item, so that an interrupted one goes on where it was."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from node.attribution.findings import Finding
from node.errors import InvalidInput


@dataclass
class AuditReport:
    """What one audit found so far, item by item; `drawn` says of what the items are a sample."""

    path: Path
    drawn: dict[str, object]
    items: dict[str, list[Finding]] = field(default_factory=dict)

    def add(self, item: str, findings: Sequence[Finding]) -> None:
        """One item is done."""
        self.items[item] = list(findings)
        body = {
            "v": 1,
            "drawn": self.drawn,
            "items": {name: _plain(found) for name, found in self.items.items()},
        }
        aside = self.path.with_name(self.path.name + ".part")
        aside.write_text(json.dumps(body, indent=1) + "\n", encoding="utf-8")
        aside.replace(self.path)

    def findings(self) -> tuple[Finding, ...]:
        """Of all items."""
        return tuple(one for found in self.items.values() for one in found)


def open_report(path: Path, drawn: dict[str, object]) -> AuditReport:
    """A new report, or the one at `path` of the same sample. Raises InvalidInput for any other file."""
    if not path.exists():
        return AuditReport(path, drawn)
    try:
        body: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        items = {name: [Finding(**one) for one in found] for name, found in body["items"].items()}
        same = body["v"] == 1 and body["drawn"] == drawn
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InvalidInput("the file is no audit's report; name another", path=str(path)) from error
    if not same:
        raise InvalidInput("the file is of another audit; name another", path=str(path))
    return AuditReport(path, drawn, items)


def _plain(findings: Sequence[Finding]) -> list[dict[str, object]]:
    return [asdict(one) for one in findings]
