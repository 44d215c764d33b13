"""Statements and commitments as bytes: the canonical JSON whose CIDs go on chain.

Reading rebuilds the record through its own checks and compares the bytes, so there is one spelling of each.
"""

from typing import cast

from protocol.attribution import AttributionReport, Entry, Lane, PublishedReport
from protocol.canonical import canonical_json, parse_json
from protocol.epoch import Commitment, EarnerEntry, Statement, commitment_of
from protocol.errors import SettlementError
from protocol.fields import Fields
from protocol.hashing import MAX_WORD, Keccak, to_hex
from protocol.lane_lists import LaneLists
from protocol.receipt import receipt_from_json, receipt_to_json
from protocol.rewards import Line
from protocol.sumtree import SumRoot
from protocol.types import MAX_UINT32, MAX_UINT64, MAX_WEI, TOTAL_PPM

FORMAT = 1
MAX_RECORD_BYTES = 1 << 30
MAX_ITEMS = 1 << 24
MAX_ENTRIES = 4096
MAX_LIST_WORDS = 256
LIST_NAMES = ("gradient", "span", "retrieval", "influence")


def encode_statement(statement: Statement) -> bytes:
    """Canonical JSON of a statement with its lines, its receipts and what they were attributed by."""
    return canonical_json(
        {
            "v": FORMAT,
            "node": statement.node,
            "epoch": str(statement.epoch),
            "lines": [
                {"earner": line.earner, "requestId": to_hex(line.request_id), "amount": str(line.amount)}
                for line in statement.lines
            ],
            "receipts": [receipt_to_json(receipt) for receipt in statement.receipts],
            "reports": [_published_json(report) for report in statement.reports],
        }
    )


def decode_statement(data: bytes) -> Statement:
    """The inverse of `encode_statement`; a ProtocolError for anything it would not have written."""
    fields = Fields(parse_json(data, MAX_RECORD_BYTES, max_depth=6), "statement")
    fields.integer("v", FORMAT, FORMAT)
    statement = Statement(
        node=fields.address("node"),
        epoch=fields.decimal("epoch", MAX_UINT64),
        lines=tuple(_line(item) for item in fields.objects("lines", MAX_ITEMS)),
        receipts=fields.each("receipts", MAX_ITEMS, lambda _, item: receipt_from_json(item)),
        reports=tuple(_published(item) for item in fields.objects("reports", MAX_ITEMS)),
    )
    fields.done()
    if encode_statement(statement) != data:
        raise SettlementError(f"statement of {statement.node} is not canonical JSON")
    return statement


def encode_commitment(commitment: Commitment) -> bytes:
    """Canonical JSON of the leaves of the commitment's two trees; the roots follow from them."""
    return canonical_json(
        {
            "v": FORMAT,
            "epoch": str(commitment.epoch),
            "cumulative": [
                {"account": account, "amount": str(amount)} for account, amount in commitment.cumulative
            ],
            "entries": [
                {"earner": entry.earner, "node": entry.node, "amount": str(entry.amount)}
                for entry in commitment.entries
            ],
        }
    )


def decode_commitment(data: bytes, keccak: Keccak) -> Commitment:
    """The inverse of `encode_commitment`, roots computed afresh: compare them with the chain's."""
    fields = Fields(parse_json(data, MAX_RECORD_BYTES, max_depth=4), "commitment")
    fields.integer("v", FORMAT, FORMAT)
    epoch = fields.decimal("epoch", MAX_UINT64)
    cumulative = tuple(
        (item.address("account"), item.decimal("amount", MAX_WEI))
        for item in fields.objects("cumulative", MAX_ITEMS)
    )
    entries = tuple(
        EarnerEntry(item.address("earner"), item.address("node"), item.decimal("amount", MAX_WEI))
        for item in fields.objects("entries", MAX_ITEMS)
    )
    fields.done()
    commitment = commitment_of(epoch, entries, cumulative, keccak)
    if encode_commitment(commitment) != data:
        raise SettlementError(f"commitment data of epoch {epoch} is not canonical JSON")
    return commitment


def root_to_json(root: SumRoot) -> dict[str, object]:
    """A sum root for people and pages."""
    return {"digest": to_hex(root.digest), "count": root.count, "total": str(root.total)}


def report_to_json(report: AttributionReport) -> dict[str, object]:
    """JSON object of a report; lanes by lower-case name."""
    return {
        "entries": [
            {"lane": entry.lane.name.lower(), "row": entry.row, "owner": entry.owner, "ppm": entry.ppm}
            for entry in report.entries
        ],
        "unattributedPpm": report.unattributed_ppm,
        "methodId": to_hex(report.method_id),
        "lists": lists_to_json(report.lists),
    }


def report_from_json(value: object) -> AttributionReport:
    """The inverse of `report_to_json`."""
    fields = Fields(value, "report")
    report = AttributionReport(
        tuple(_entry(item) for item in fields.objects("entries", MAX_ENTRIES)),
        fields.integer("unattributedPpm", 0, TOTAL_PPM),
        fields.hexadecimal("methodId", 32),
        lists_from_json(fields.value("lists")),
    )
    fields.done()
    return report


def lists_to_json(lists: LaneLists) -> dict[str, object]:
    """The words of each list as decimal strings."""
    return {name: [str(word) for word in part] for name, part in zip(LIST_NAMES, lists.bound, strict=True)}


def lists_from_json(value: object) -> LaneLists:
    """The inverse of `lists_to_json`; what the words say is not judged here."""
    fields = Fields(value, "lists")
    parts = [fields.each(name, MAX_LIST_WORDS, _list_word) for name in LIST_NAMES]
    fields.done()
    return LaneLists(*parts)


def _published_json(report: PublishedReport) -> dict[str, object]:
    entries = [[str(int(one.lane)), str(one.row), one.owner, str(one.ppm)] for one in report.entries]
    return {"entries": entries, "lists": lists_to_json(report.lists)}


def _published(fields: Fields) -> PublishedReport:
    """Any entries at all: what is wrong with them is for a proof to say."""
    report = PublishedReport(
        fields.each("entries", MAX_ENTRIES, _published_entry), lists_from_json(fields.value("lists"))
    )
    fields.done()
    return report


def _published_entry(where: str, value: object) -> Entry:
    lane, row, owner, ppm = value if isinstance(value, list) and len(value) == 4 else (None,) * 4
    fields = Fields({"lane": lane, "row": row, "owner": owner, "ppm": ppm}, where)
    number = fields.decimal("lane", MAX_WORD)
    return Entry(
        Lane(number) if number <= Lane.RETRIEVAL else cast(Lane, number),
        fields.decimal("row", MAX_WORD),
        fields.address("owner"),
        fields.decimal("ppm", MAX_WORD),
    )


def _list_word(where: str, value: object) -> int:
    return Fields({"word": value}, where).decimal("word", MAX_WORD)


def _line(fields: Fields) -> Line:
    line = Line(
        fields.address("earner"), fields.hexadecimal("requestId", 32), fields.decimal("amount", MAX_WEI)
    )
    fields.done()
    return line


def _entry(fields: Fields) -> Entry:
    lane = Lane[fields.choice("lane", ("gradient", "span", "retrieval")).upper()]
    entry = Entry(
        lane,
        fields.integer("row", 0, MAX_UINT32),
        fields.address("owner"),
        fields.integer("ppm", 1, TOTAL_PPM),
    )
    fields.done()
    return entry
