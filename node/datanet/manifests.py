"""Which rows make a version, whose they are, and how copies cluster; and checking somebody else's answer.

`build_manifest` is pure and depends only on what was submitted, in which order, and what curators decided:
nodes with the same rows build the same bytes, so anybody can check a manifest by building it again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from node.chain.keccak import keccak
from node.datanet.contracts import ChainVersion
from node.datanet.curation import Candidate, CodeSystem, Verdict, review
from node.datanet.near_copies import Place
from node.errors import IntegrityError
from node.store.datanet import StoredRow
from protocol.errors import ProtocolError
from protocol.hashing import to_hex
from protocol.manifest import GRANTED, Labour, Manifest, ManifestRow, Row, decode_manifest, manifest_root
from protocol.shares import scores_to_shares
from protocol.types import TOTAL_PPM, Address

CURATION = "curation"


@dataclass(frozen=True)
class StandingRow:
    """A row with its text, as far as it may be compared, and the curator's verdict."""

    stored: StoredRow
    text: Row

    @property
    def place(self) -> Place:
        return self.stored.contribution, self.stored.position


def build_manifest(
    datanet: int,
    version: int,
    parent: int,
    rows: Iterable[StandingRow],
    labour: Sequence[Labour],
    code_system: CodeSystem | None,
) -> Manifest:
    """The manifest of all rows that stand, whatever order they are given in.

    A row stands when no curator rejected it, it repeats no earlier row, and both it and the row it copies are
    under consent: whoever withdraws a row takes its copies along.
    """
    by_place = {row.place: row for row in rows if row.stored.verdict not in (None, Verdict.REJECTED)}
    candidates = [Candidate(place, row.text) for place, row in by_place.items()]
    clusters = {
        decision.place: decision.canonical or decision.place
        for decision in review(candidates, code_system)
        if decision.verdict is not Verdict.REJECTED
    }
    standing = {
        place: canonical
        for place, canonical in clusters.items()
        if by_place[place].stored.consent == by_place[canonical].stored.consent == GRANTED
    }
    places = _distinct(sorted(standing, key=lambda place: (by_place[place].stored.digest, place)), by_place)
    index = {place: number for number, place in enumerate(places)}
    entries = tuple(_entry(by_place[place].stored, index[place], index[standing[place]]) for place in places)
    return Manifest(datanet, version, parent, entries, tuple(labour))


def _distinct(places: Sequence[Place], rows: Mapping[Place, StandingRow]) -> list[Place]:
    # Equal digests are equal rows, and `review` rejected all but the first; the tree relies on it.
    digests = [rows[place].stored.digest for place in places]
    if len(set(digests)) != len(digests):
        raise IntegrityError(
            "two standing rows share a digest", rows=len(digests), distinct=len(set(digests))
        )
    return list(places)


def _entry(row: StoredRow, index: int, cluster: int) -> ManifestRow:
    owner = Address(row.contributor)
    digest = to_hex(row.digest)
    return ManifestRow(index, digest, owner, cluster, row.licence, row.consent, row.gated, row.cid)


def curation_labour(decided: Mapping[Address, int]) -> tuple[Labour, ...]:
    """The labour list of a version whose curators decided so many rows each; empty for none."""
    accounts = sorted(account for account, rows in decided.items() if rows > 0)
    if not accounts:
        return ()
    shares = scores_to_shares([decided[account] for account in accounts], TOTAL_PPM)
    return tuple(
        Labour(CURATION, account, ppm) for account, ppm in zip(accounts, shares, strict=True) if ppm > 0
    )


def check_manifest(data: bytes, on_chain: ChainVersion) -> Manifest:
    """The manifest in `data`, if it is the one that the chain means. Raises IntegrityError."""
    try:
        manifest = decode_manifest(data)
    except ProtocolError as error:
        raise IntegrityError("not a manifest", cid=on_chain.manifest.text, reason=str(error)) from error
    in_file = (manifest.datanet, manifest.version, manifest.parent, len(manifest.rows))
    as_said = (on_chain.datanet, on_chain.version, on_chain.parent, on_chain.row_count)
    root = manifest_root(manifest, keccak)
    if in_file != as_said or root != on_chain.content_root:
        raise IntegrityError(
            "manifest is not the one on chain",
            on_chain=(*as_said, on_chain.content_root.hex()),
            in_file=(*in_file, root.hex()),
        )
    return manifest
