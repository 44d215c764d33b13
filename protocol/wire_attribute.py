"""Asking a worker where a finished answer came from, and what it found."""

from dataclasses import dataclass
from typing import Self

from protocol.attribution import MAX_UNITS, Lane, LaneUnits
from protocol.context import Context, read_context
from protocol.errors import AttributionError, ContextError, EncodingError
from protocol.fields import Fields
from protocol.hashing import MAX_WORD, from_hex, to_hex
from protocol.influence import Influence
from protocol.influence_list import HEAD_WORDS, MAX_SECTIONS, influence_flaw, influence_words, read_influence
from protocol.lanes import MAX_ROWS_PER_LANE
from protocol.query_code import MAX_CODE_BYTES
from protocol.retrieval import Ablations
from protocol.spans import Match
from protocol.types import MAX_UINT32
from protocol.wire_fields import (
    MAX_FENCE,
    MAX_TOKENS,
    NAME,
    VERSION,
    opened,
    optional_cid,
    read_cid,
    token_ids,
)

MAX_LANE_ROWS = 1024
MAX_SPANS = 1 << 16
MAX_TOKEN_CHARS = 4096
MAX_LIST_WORDS = MAX_SECTIONS * (HEAD_WORDS + MAX_ROWS_PER_LANE)

LANES = {lane.name.lower(): lane for lane in Lane if lane is not Lane.UNATTRIBUTED}


@dataclass(frozen=True, slots=True)
class AttributeRequest:
    """A finished answer whose sources are asked for, in the named lanes. `context` says where rows of the
    Datanet stood in its prompt; with a `query_code` rows are scored under it, not under the one computed.
    """

    request_id: str
    fence: int
    adapter_cid: str | None
    index_cid: str
    manifest_cid: str
    prompt_ids: tuple[int, ...]
    output_ids: tuple[int, ...]
    min_span_tokens: int
    lanes: tuple[Lane, ...] = (Lane.GRADIENT, Lane.SPAN)
    context: Context | None = None
    query_code: bytes = b""

    def to_json(self) -> dict[str, object]:
        """Plain values; lanes by lower-case name."""
        return {
            "v": VERSION,
            "request_id": self.request_id,
            "fence": self.fence,
            "adapter_cid": self.adapter_cid,
            "index_cid": self.index_cid,
            "manifest_cid": self.manifest_cid,
            "prompt_ids": list(self.prompt_ids),
            "output_ids": list(self.output_ids),
            "min_span_tokens": self.min_span_tokens,
            "lanes": [lane.name.lower() for lane in self.lanes],
            "context": None if self.context is None else self.context.to_json(),
            "query_code": to_hex(self.query_code) if self.query_code else None,
        }

    @classmethod
    def from_json(cls, value: object) -> Self:
        """The record this object spells."""
        fields = opened(value, "attribute")
        request = cls(
            request_id=fields.text("request_id", 128, NAME),
            fence=fields.integer("fence", 0, MAX_FENCE),
            adapter_cid=optional_cid(fields, "adapter_cid"),
            index_cid=read_cid(fields, "index_cid"),
            manifest_cid=read_cid(fields, "manifest_cid"),
            prompt_ids=token_ids(fields, "prompt_ids"),
            output_ids=token_ids(fields, "output_ids"),
            min_span_tokens=fields.integer("min_span_tokens", 1, MAX_TOKENS),
            lanes=fields.each("lanes", len(LANES), lambda path, item: _lane(fields, path, item)),
            context=read_context(fields, "context"),
            query_code=b""
            if fields.absent("query_code")
            else _code(fields, "query_code", fields.value("query_code")),
        )
        if len(set(request.lanes)) != len(request.lanes):
            raise fields.wrong("lanes", "names a lane twice")
        try:
            if request.context is not None:
                request.context.check(request.prompt_ids)
        except ContextError as error:
            raise fields.wrong("context", str(error)) from error
        fields.done()
        return request


@dataclass(frozen=True, slots=True)
class AttributeResult:
    """Units by lane, the matches behind the span lane, the output's text cut by token for display, and what
    was measured for the retrieval lane (None where it did not run) and for the gradient lane: by index its
    scores, and the bytes of the query's code.
    """

    method_id: bytes
    lanes: tuple[LaneUnits, ...]
    spans: tuple[Match, ...]
    token_texts: tuple[str, ...]
    ablations: Ablations | None = None
    influence: tuple[Influence, ...] = ()
    query_codes: tuple[bytes, ...] = ()

    def to_json(self) -> dict[str, object]:
        """Plain values."""
        return {
            "v": VERSION,
            "method_id": to_hex(self.method_id),
            "lanes": [_lane_json(found) for found in self.lanes],
            "spans": [
                {"start": match.start, "length": match.length, "row": match.row, "row_start": match.row_start}
                for match in self.spans
            ],
            "token_texts": list(self.token_texts),
            "ablations": None if self.ablations is None else self.ablations.to_json(),
            "influence": [str(word) for word in influence_words(self.influence)],
            "query_codes": [to_hex(code) for code in self.query_codes],
        }

    @classmethod
    def from_json(cls, value: object) -> Self:
        """The record this object spells."""
        fields = opened(value, "attributed")
        result = cls(
            method_id=fields.hexadecimal("method_id", 32),
            lanes=tuple(_read_lane(lane) for lane in fields.objects("lanes", len(LANES))),
            spans=tuple(_read_match(match) for match in fields.objects("spans", MAX_SPANS)),
            token_texts=fields.texts("token_texts", MAX_TOKENS, MAX_TOKEN_CHARS),
            ablations=None if fields.absent("ablations") else Ablations.read(fields.child("ablations")),
            influence=_read_influence(fields),
            query_codes=fields.each(
                "query_codes", MAX_SECTIONS, lambda path, item: _code(fields, path, item)
            ),
        )
        fields.done()
        return result


def _lane(fields: Fields, path: str, item: object) -> Lane:
    if not isinstance(item, str) or item not in LANES:
        raise fields.wrong(path, f"must be one of {', '.join(LANES)}")
    return LANES[item]


def _lane_json(found: LaneUnits) -> dict[str, object]:
    return {
        "lane": found.lane.name.lower(),
        "units": [[row, units] for row, units in found.units],
        "unattributed": found.unattributed,
        "ran": found.ran,
    }


def _read_lane(fields: Fields) -> LaneUnits:
    lane = LANES[fields.choice("lane", tuple(LANES))]
    pairs = fields.each("units", MAX_LANE_ROWS, lambda path, item: _pair(fields, path, item))
    unattributed = fields.integer("unattributed", 0, MAX_UNITS)
    ran = fields.boolean("ran")
    fields.done()
    try:
        return LaneUnits(lane, pairs, unattributed, ran)
    except AttributionError as error:
        raise fields.wrong("units", str(error)) from error


def _pair(fields: Fields, path: str, item: object) -> tuple[int, int]:
    if not isinstance(item, list) or len(item) != 2 or not all(type(part) is int for part in item):
        raise fields.wrong(path, "must be [row, units], two whole numbers")
    row, units = item
    if not (0 <= row <= MAX_UINT32 and 0 <= units <= MAX_UNITS):
        raise fields.wrong(path, f"row {row} or units {units} out of range")
    return row, units


def _read_influence(fields: Fields) -> tuple[Influence, ...]:
    words = fields.each(
        "influence", MAX_LIST_WORDS, lambda path, item: Fields({"word": item}, path).decimal("word", MAX_WORD)
    )
    flaw = influence_flaw(words)
    if flaw:
        raise fields.wrong("influence", f"is flawed: {flaw.name}")
    return read_influence(words)


def _code(fields: Fields, path: str, item: object) -> bytes:
    if not isinstance(item, str) or not 2 < len(item) <= 2 + 2 * MAX_CODE_BYTES or len(item) % 2:
        raise fields.wrong(path, "must be the hex of a query code")
    try:
        return from_hex(item, len(item) // 2 - 1)
    except EncodingError as error:
        raise fields.wrong(path, str(error)) from error


def _read_match(fields: Fields) -> Match:
    match = Match(
        fields.integer("start", 0, MAX_TOKENS),
        fields.integer("length", 1, MAX_TOKENS),
        fields.integer("row", 0, MAX_UINT32),
        fields.integer("row_start", 0, MAX_UINT32),
    )
    fields.done()
    return match
