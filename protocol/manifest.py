"""Datapoints and the dataset manifest: which rows make a version, whose they are, and in what order.

A row is known everywhere else by (Datanet, version, index) alone. The manifest's rows stand in the order of
their content digests, so a row's absence from a version can be proved, and its near-duplicates point at one
canonical row.
"""

import unicodedata
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

from protocol.canonical import canonical_json, parse_json
from protocol.cid import parse_cid
from protocol.errors import CidError, ManifestError, SharesDoNotSum
from protocol.fields import Fields
from protocol.hashing import Keccak, address_word, from_hex, sha256, tag, words
from protocol.merkle import root
from protocol.shares import scores_to_shares
from protocol.tokens import token_chunks as token_chunks
from protocol.types import MAX_UINT32, MAX_UINT64, TOTAL_PPM, Address

FORMAT = 1
GRANTED = "granted"
REVOKED = "revoked"
MAX_MANIFEST_BYTES = 1 << 30
MAX_LABOUR = 4096
SALT_BYTES = 32


@dataclass(frozen=True, slots=True)
class Row:
    """One datapoint, as its contributor wrote it."""

    kind: str
    prompt: str
    completion: str
    meta: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ManifestRow:
    """One accepted row: `digest` is 0x-hex, `cid` names its bytes, `cluster` is its canonical row's index."""

    index: int
    digest: str
    owner: Address
    cluster: int
    licence: str
    consent: str
    gated: bool
    cid: str


@dataclass(frozen=True, slots=True)
class Labour:
    """A signed contribution other than rows (curation, evaluation, cleaning, prompts) and its share."""

    kind: str
    account: Address
    ppm: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """One immutable version of a Datanet; `parent` is the version it grew from, 0 for none."""

    datanet: int
    version: int
    parent: int
    rows: tuple[ManifestRow, ...]
    labour: tuple[Labour, ...]

    def __post_init__(self) -> None:
        _check_rows(self.rows)
        total = sum(item.ppm for item in self.labour)
        if self.labour and total != TOTAL_PPM:
            raise SharesDoNotSum("labour shares", TOTAL_PPM, total)
        if not 0 <= self.parent < self.version:
            raise ManifestError(f"version {self.version} cannot grow from version {self.parent}")


def content_digest(row: Row, salt: bytes = b"") -> bytes:
    """sha256 of the row's canonical JSON, after 32 bytes of salt where the row is gated."""
    if len(salt) not in (0, SALT_BYTES):
        raise ManifestError(f"a salt has {SALT_BYTES} bytes, not {len(salt)}")
    return sha256(salt + encode_row(row))


def encode_row(row: Row) -> bytes:
    """The row's canonical JSON: its bytes at rest, before any encryption."""
    return canonical_json(
        {"kind": row.kind, "prompt": row.prompt, "completion": row.completion, "meta": dict(row.meta)}
    )


def decode_row(data: bytes) -> Row:
    """The inverse of `encode_row`."""
    fields = Fields(parse_json(data, max_depth=2), "row")
    row = Row(
        fields.text("kind", 64),
        fields.text("prompt", 1 << 20),
        fields.text("completion", 1 << 20),
        fields.text_map("meta", 64, 1 << 16),
    )
    fields.done()
    if encode_row(row) != data:
        raise ManifestError("row bytes are not canonical JSON")
    return row


def dedup_digest(row: Row) -> bytes:
    """sha256 of what a reader would call the same text: NFKC, case-folded, white space collapsed."""
    return sha256("\n".join(normal_text(part) for part in (row.prompt, row.completion)).encode("utf-8"))


def normal_text(text: str) -> str:
    """NFKC, case-folded, runs of white space as one space."""
    # Folding can undo NFKC (it expands some ligatures), hence the second pass.
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return " ".join(folded.split())


def manifest_root(manifest: Manifest, keccak: Keccak) -> bytes:
    """Root of the sorted tree over content digests: what the chain stores as contentRoot."""
    return root([from_hex(row.digest, 32) for row in manifest.rows], keccak)


def rows_root(manifest: Manifest, keccak: Keccak) -> bytes:
    """Root over (digest, owner, cluster, granted) in row order: what the chain stores as rowsRoot."""
    return root([row_payload(row, keccak) for row in manifest.rows], keccak)


def row_payload(row: ManifestRow, keccak: Keccak) -> bytes:
    """One row as `rows_root` holds it, so that whose it is can be proven by itself."""
    digest, owner = from_hex(row.digest, 32), address_word(row.owner)
    return keccak(words(tag("row", keccak), digest, owner, row.cluster, int(row.consent == GRANTED)))


def coverage(manifest: Manifest) -> dict[Address, int]:
    """Ppm of each owner by accepted clusters (canonical rows under consent); empty where there are none."""
    owned = Counter(row.owner for row in manifest.rows if row.cluster == row.index and row.consent == GRANTED)
    owners = sorted(owned)
    if not owners:
        return {}
    return dict(zip(owners, scores_to_shares([owned[owner] for owner in owners], TOTAL_PPM), strict=True))


def encode_manifest(manifest: Manifest) -> bytes:
    """Canonical JSON; its CID is what the chain stores."""
    return canonical_json(
        {
            "v": FORMAT,
            "datanet": manifest.datanet,
            "version": manifest.version,
            "parent": manifest.parent,
            "rows": [_row_json(row) for row in manifest.rows],
            "labour": [
                {"kind": item.kind, "account": item.account, "ppm": item.ppm} for item in manifest.labour
            ],
        }
    )


def decode_manifest(data: bytes) -> Manifest:
    """The inverse of `encode_manifest`; a ProtocolError for anything it would not have written."""
    fields = Fields(parse_json(data, MAX_MANIFEST_BYTES, max_depth=4), "manifest")
    fields.integer("v", FORMAT, FORMAT)
    manifest = Manifest(
        fields.integer("datanet", 0, MAX_UINT64),
        fields.integer("version", 1, MAX_UINT64),
        fields.integer("parent", 0, MAX_UINT64),
        tuple(_read_row(row) for row in fields.objects("rows", MAX_UINT32)),
        tuple(_read_labour(item) for item in fields.objects("labour", MAX_LABOUR)),
    )
    fields.done()
    if encode_manifest(manifest) != data:
        raise ManifestError("manifest bytes are not canonical JSON")
    return manifest


def _row_json(row: ManifestRow) -> dict[str, object]:
    return {
        "index": row.index,
        "digest": row.digest,
        "owner": row.owner,
        "cluster": row.cluster,
        "licence": row.licence,
        "consent": row.consent,
        "gated": row.gated,
        "cid": row.cid,
    }


def _read_row(fields: Fields) -> ManifestRow:
    row = ManifestRow(
        index=fields.integer("index", 0, MAX_UINT32),
        digest=fields.text("digest", 66),
        owner=fields.address("owner"),
        cluster=fields.integer("cluster", 0, MAX_UINT32),
        licence=fields.text("licence", 128),
        consent=fields.choice("consent", (GRANTED, REVOKED)),
        gated=fields.boolean("gated"),
        cid=fields.text("cid", 59),
    )
    fields.done()
    return row


def _read_labour(fields: Fields) -> Labour:
    labour = Labour(fields.text("kind", 64), fields.address("account"), fields.integer("ppm", 0, TOTAL_PPM))
    fields.done()
    return labour


def _check_rows(rows: tuple[ManifestRow, ...]) -> None:
    for place, row in enumerate(rows):
        if row.index != place:
            raise ManifestError(f"row at place {place} calls itself {row.index}")
        from_hex(row.digest, 32)
        if not 0 <= row.cluster < len(rows) or rows[row.cluster].cluster != row.cluster:
            raise ManifestError(f"row {place} belongs to cluster {row.cluster}, which is not a canonical row")
        try:
            parse_cid(row.cid)
        except CidError as error:
            raise ManifestError(f"row {place}: {error}") from error
    for before, after in pairwise(rows):
        if not before.digest < after.digest:
            raise ManifestError(f"digests {before.digest} and {after.digest} are not strictly ascending")
