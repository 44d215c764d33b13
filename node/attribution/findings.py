"""Two reports of one answer, compared: what agrees and what does not, in words that name the difference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from protocol.attribution import AttributionReport
from protocol.influence_list import influence_flaw, read_influence
from protocol.lane_lists import read_span

SHOWN = 4


@dataclass(frozen=True)
class Finding:
    """One thing that was recomputed; `agrees` is None where that could not be told."""

    name: str
    agrees: bool | None
    expected: str
    found: str


def compare(stated: AttributionReport, found: AttributionReport) -> tuple[Finding, ...]:
    """What `stated` says against what a recomputation found, from the method down to the shares."""
    return (
        finding("method", stated.method_id.hex(), found.method_id.hex()),
        *_scores(stated, found),
        _units("gradient units", stated.lists.gradient, found.lists.gradient),
        _spans(stated.lists.span, found.lists.span),
        _units("retrieval units", stated.lists.retrieval, found.lists.retrieval),
        _by_key("shares", _shares(stated), _shares(found)),
        finding("unattributed", f"{stated.unattributed_ppm} ppm", f"{found.unattributed_ppm} ppm"),
    )


def finding(name: str, expected: str, found: str) -> Finding:
    """Agreement is equality."""
    return Finding(name, expected == found, expected, found)


def _scores(stated: AttributionReport, found: AttributionReport) -> tuple[Finding, ...]:
    """What the gradient lane's units follow from, by index of the model; the code and the gain have findings
    of their own.
    """
    if not stated.lists.influence and not found.lists.influence:
        return ()
    return (_by_key("scores", _by_section(stated.lists.influence), _by_section(found.lists.influence)),)


def _by_section(words: Sequence[int]) -> dict[str, str]:
    if influence_flaw(words):
        return {"list": influence_flaw(words).name}
    told: dict[str, str] = {}
    for number, section in enumerate(read_influence(words)):
        measured, name = section.measured, f"index {number}"
        told[f"{name} root"] = section.index_root.hex()
        told[f"{name} threshold"], told[f"{name} chance"] = str(measured.threshold), str(measured.chance)
        told[f"{name} floor"], told[f"{name} kappa"] = str(measured.floor), str(measured.kappa_ppm)
        told |= {
            f"{name} row {row.canonical}": f"{row.score} by member {row.member}, leaf {row.leaf}"
            for row in section.rows
        }
    return told


def _units(name: str, stated: Sequence[int], found: Sequence[int]) -> Finding:
    return _by_key(name, _by_row(stated), _by_row(found))


def _by_row(words: Sequence[int]) -> dict[str, str]:
    if not words:
        return {}
    head = {"ran": str(words[0] >> 64), "unattributed": str(words[0] & 2**64 - 1)}
    return head | {f"row {word >> 64}": str(word & 2**64 - 1) for word in words[1:]}


def _spans(stated: Sequence[int], found: Sequence[int]) -> Finding:
    return _by_key("spans", dict(map(_span, stated[1:])), dict(map(_span, found[1:])))


def _span(word: int) -> tuple[str, str]:
    span = read_span(word)
    if span is None:
        return f"word {word:#x}", "no span"
    place = f"tokens {span.match.start}-{span.match.end}"
    credited = "credited" if span.credited else "not credited"
    return f"{place} row {span.match.row}@{span.match.row_start}", f"cluster {span.cluster} {credited}"


def _shares(report: AttributionReport) -> dict[str, str]:
    return {f"{e.lane.name.lower()} row {e.row} {e.owner}": f"{e.ppm} ppm" for e in report.entries}


def _by_key(name: str, stated: Mapping[str, str], found: Mapping[str, str]) -> Finding:
    """Equal maps by their size; different ones by the first keys that differ."""
    differing = sorted(key for key in {*stated, *found} if stated.get(key) != found.get(key))
    if not differing:
        return Finding(name, True, f"{len(stated)} equal", f"{len(found)} equal")
    shown = differing[:SHOWN]
    return Finding(name, False, _told(stated, shown, differing), _told(found, shown, differing))


def _told(values: Mapping[str, str], shown: Sequence[str], differing: Sequence[str]) -> str:
    told = ", ".join(f"{key}: {values.get(key, 'absent')}" for key in shown)
    return told if len(shown) == len(differing) else f"{told}, and {len(differing) - len(shown)} more"
