"""The curator's decision on each row, with its reason. Pure: the same rows, the same decisions.

Rows are judged in order of submission against everything submitted before them, so it does not matter who was
reviewed first. A copy is rejected or linked to the row it copies, and either way it never earns. Text that is
well formed but senseless is not judged here: what it is worth, attribution says.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from node.datanet import rows
from node.datanet.near_copies import Fingerprint, NearCopyIndex, Place, fingerprint
from protocol.manifest import Row, dedup_digest

MIN_SUBJECT_LETTERS = 3
WORD = re.compile(r"\w+")


class Verdict(StrEnum):
    """ACCEPTED earns; LINKED stands in its canonical row's cluster and does not; REJECTED is out."""

    ACCEPTED = "accepted"
    LINKED = "linked"
    REJECTED = "rejected"


class Reason(StrEnum):
    """Why. The words are published with the decision."""

    NEW = "new"
    NEAR_COPY = "near copy of an earlier row"
    DUPLICATE = "same text as an earlier row"
    TOO_SHORT = "description is empty or too short"
    MALFORMED_CODE = "completion is not a well-formed code"
    UNKNOWN_CODE = "completion is not a code of this Datanet's code system"
    MIXED_SCRIPTS = "a word mixes Latin and Cyrillic letters"
    INVALID = "not a row: kind, size or characters break the rules"
    UNREADABLE = "the curator holds no key for this row"
    MISMATCH = "the bytes are not those of the digest"
    CURATOR = "rejected by the curator"


class CodeSystem(Protocol):
    """What the completions of a coding Datanet must be, e.g. `node.datanet.icd10.Icd10Cm`."""

    name: str

    def subject(self, row: Row) -> str | None: ...
    def is_well_formed(self, code: str) -> bool: ...
    def is_known(self, code: str) -> bool: ...


@dataclass(frozen=True)
class Candidate:
    """A submitted row: its place (contribution, position), and its text or why there is none."""

    place: Place
    row: Row | Reason


@dataclass(frozen=True)
class Decision:
    """`canonical` is the first row to say what this copy says, `note` a curator's own words."""

    place: Place
    verdict: Verdict
    reason: Reason
    canonical: Place | None = None
    note: str = ""


class Reviewer:
    """Takes rows in order of submission and decides each one."""

    def __init__(self, code_system: CodeSystem | None = None) -> None:
        self._code_system = code_system
        self._copies = NearCopyIndex()
        self._texts: dict[bytes, Place] = {}
        self._last: Place = (-1, -1)

    def decide(self, candidate: Candidate) -> Decision:
        """Decide the next row, which must come after every row decided before it."""
        if candidate.place <= self._last:
            raise ValueError(f"row {candidate.place} comes after {self._last}: decide in order of submission")
        self._last = candidate.place
        place, row = candidate.place, candidate.row
        if isinstance(row, Reason):
            return Decision(place, Verdict.REJECTED, row)
        fault = find_fault(row, self._code_system)
        if fault is not None:
            return Decision(place, Verdict.REJECTED, fault)
        text = dedup_digest(row)
        if text in self._texts:
            return Decision(place, Verdict.REJECTED, Reason.DUPLICATE, self._texts[text])
        canonical = self._copies.add(place, row_fingerprint(row, self._code_system))
        self._texts[text] = canonical
        if canonical != place:
            return Decision(place, Verdict.LINKED, Reason.NEAR_COPY, canonical)
        return Decision(place, Verdict.ACCEPTED, Reason.NEW)


def review(candidates: Iterable[Candidate], code_system: CodeSystem | None = None) -> tuple[Decision, ...]:
    """Decisions on all rows of a Datanet, in order of submission, whatever order they are given in."""
    reviewer = Reviewer(code_system)
    return tuple(reviewer.decide(one) for one in sorted(candidates, key=lambda candidate: candidate.place))


def find_fault(row: Row, code_system: CodeSystem | None) -> Reason | None:
    """What alone disqualifies the row, copies aside."""
    if rows.find_fault(row) is not None:
        return Reason.INVALID
    subject = _subject(row, code_system)
    if sum(1 for letter in subject if letter.isalpha()) < MIN_SUBJECT_LETTERS or not row.completion.strip():
        return Reason.TOO_SHORT
    if any(_mixes_scripts(word) for word in WORD.findall(f"{row.prompt} {row.completion}")):
        return Reason.MIXED_SCRIPTS
    if code_system is None:
        return None
    if not code_system.is_well_formed(row.completion):
        return Reason.MALFORMED_CODE
    if not code_system.is_known(row.completion):
        return Reason.UNKNOWN_CODE
    return None


def row_fingerprint(row: Row, code_system: CodeSystem | None) -> Fingerprint:
    """Rows of a coding Datanet compare by description under equal codes, others by their whole text."""
    if code_system is None:
        return fingerprint(row)
    return fingerprint(row, _subject(row, code_system), row.completion)


def count_verdicts(decisions: Sequence[Decision]) -> tuple[int, int]:
    """(accepted, rejected) as the chain counts them: a linked row stands, so it is accepted."""
    rejected = sum(1 for decision in decisions if decision.verdict is Verdict.REJECTED)
    return len(decisions) - rejected, rejected


def _subject(row: Row, code_system: CodeSystem | None) -> str:
    subject = code_system.subject(row) if code_system is not None else None
    return row.prompt if subject is None else subject


def _mixes_scripts(word: str) -> bool:
    # Look-alike letters would make a copy that reads the same and compares as different.
    scripts = {unicodedata.name(letter, "").partition(" ")[0] for letter in word if letter.isalpha()}
    return {"LATIN", "CYRILLIC"} <= scripts
