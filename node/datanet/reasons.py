"""The file that says why each row of a contribution stands or not; its CID goes on chain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from node.datanet.curation import Decision, Reason, Verdict
from node.datanet.near_copies import Place
from node.datanet.rows import MAX_BATCH_ROWS
from node.errors import InvalidInput
from protocol.canonical import canonical_json, parse_json
from protocol.errors import FieldError
from protocol.fields import Fields

MAX_REASONS_BYTES = 8 << 20
MAX_NOTE_CHARS = 500
MAX_ID = 2**53 - 1


def object_to(decisions: Sequence[Decision], objections: Mapping[int, str]) -> tuple[Decision, ...]:
    """The decisions, with what a curator objects to rejected in their words, and its copies too."""
    unknown = set(objections) - {decision.place[1] for decision in decisions}
    if unknown or any(not 0 < len(note) <= MAX_NOTE_CHARS for note in objections.values()):
        raise InvalidInput("objections need known rows and a few words each", unknown=sorted(unknown))
    notes = {decision.place: objections.get(decision.place[1]) for decision in decisions}
    return tuple(_object(decision, notes) for decision in decisions)


def _object(decision: Decision, notes: Mapping[Place, str | None]) -> Decision:
    copied = notes.get(decision.canonical) if decision.canonical is not None else None
    note = notes[decision.place] or copied
    if note is None:
        return decision
    return replace(decision, verdict=Verdict.REJECTED, reason=Reason.CURATOR, note=note)


def encode_reasons(contribution: int, decisions: Sequence[Decision]) -> bytes:
    """Canonical JSON. It quotes no row, so it may be public for gated rows too."""
    entries = [
        {
            "verdict": decision.verdict.value,
            "reason": decision.reason.value,
            "canonical": None if decision.canonical is None else list(decision.canonical),
            "note": decision.note,
        }
        for decision in decisions
    ]
    return canonical_json({"v": 1, "contribution": contribution, "decisions": entries})


def decode_reasons(data: bytes, contribution: int) -> tuple[Decision, ...]:
    """The inverse of `encode_reasons`. Raises ProtocolError, also for another contribution's file."""
    fields = Fields(parse_json(data, MAX_REASONS_BYTES, 5), "reasons")
    fields.integer("v", 1, 1)
    fields.integer("contribution", contribution, contribution)
    entries = fields.objects("decisions", MAX_BATCH_ROWS)
    fields.done()
    return tuple(_read_decision((contribution, place), entry) for place, entry in enumerate(entries))


def _read_decision(place: Place, fields: Fields) -> Decision:
    decision = Decision(
        place,
        Verdict(fields.choice("verdict", [verdict.value for verdict in Verdict])),
        Reason(fields.choice("reason", [reason.value for reason in Reason])),
        _read_place(fields),
        fields.text("note", MAX_NOTE_CHARS),
    )
    fields.done()
    if decision.canonical is not None and decision.canonical >= place:
        raise FieldError("canonical", f"{decision.canonical} does not stand before {place}")
    return decision


def _read_place(fields: Fields) -> Place | None:
    if fields.absent("canonical"):
        return None
    numbers = fields.integers("canonical", 2, 0, MAX_ID)
    if len(numbers) != 2:
        raise fields.wrong("canonical", "must be a contribution and a position")
    return numbers[0], numbers[1]
