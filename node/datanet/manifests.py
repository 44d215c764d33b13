"""Which rows make a version, whose they are, and how copies cluster; and checking somebody else's answer.

`build_manifest` is pure and depends only on what was submitted, in which order, and what curators decided:
nodes with the same rows build the same bytes, so anybody can check a manifest by building it again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from node.chain.keccak import keccak
from node.datanet.curation import Candidate, CodeSystem, Verdict, review
from node.datanet.near_copies import Place
from node.datanet.records import ChainVersion
from node.errors import IntegrityError
from node.store.datanet import StoredRow
from protocol.errors import ProtocolError
from protocol.hashing import to_hex
from protocol.labour import MAX_VERSION_LABOUR
from protocol.manifest import (
    GRANTED,
    Labour,
    Manifest,
    ManifestRow,
    Row,
    decode_manifest,
    manifest_root,
    rows_root,
)
from protocol.shares import scores_to_shares
from protocol.types import TOTAL_PPM, Address


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


def review_shares(decided: Mapping[Address, int]) -> dict[Address, int]:
    """Ppm of each curator who decided so many rows; empty for none. A version pays the 64 busiest."""
    busiest = sorted((-rows, account) for account, rows in decided.items() if rows > 0)
    accounts = sorted(account for _, account in busiest[:MAX_VERSION_LABOUR])
    if not accounts:
        return {}
    shares = scores_to_shares([decided[account] for account in accounts], TOTAL_PPM)
    return {account: ppm for account, ppm in zip(accounts, shares, strict=True) if ppm > 0}


def check_manifest(data: bytes, on_chain: ChainVersion, labour: Sequence[Labour]) -> Manifest:
    """The manifest in `data`, if it is the one that the chain means. Raises IntegrityError.

    `labour` is what the chain's shares of the version come to.
    """
    try:
        manifest = decode_manifest(data)
    except ProtocolError as error:
        raise IntegrityError("not a manifest", cid=on_chain.manifest.text, reason=str(error)) from error
    in_file = (manifest.datanet, manifest.version, manifest.parent, len(manifest.rows))
    as_said = (on_chain.datanet, on_chain.version, on_chain.parent, on_chain.row_count)
    roots = manifest_root(manifest, keccak), rows_root(manifest, keccak)
    if in_file != as_said or roots != (on_chain.content_root, on_chain.rows_root):
        raise IntegrityError(
            "manifest is not the one on chain",
            on_chain=(*as_said, on_chain.content_root.hex(), on_chain.rows_root.hex()),
            in_file=(*in_file, *(root.hex() for root in roots)),
        )
    if manifest.labour != tuple(labour):
        raise IntegrityError(
            "manifest pays other labour than the chain", on_chain=labour, in_file=manifest.labour
        )
    return manifest
