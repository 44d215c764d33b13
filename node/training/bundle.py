"""An adapter bundle as files by CID: which files may be in it, how large, and what its manifest claims.

The listing is read and judged before any file is fetched. Nothing here parses weights; pickle is not even a
possibility, since no name but four, and that of a validity report, can be listed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from node.blobs.store import BlobStore
from node.errors import IntegrityError
from protocol.canonical import canonical_json, parse_json
from protocol.cid import Cid, parse_cid
from protocol.errors import CidError, ProtocolError
from protocol.fields import Fields
from protocol.hashing import sha256, to_hex
from protocol.types import TOTAL_PPM
from protocol.validity import ValidityReport, decode_validity

CONFIG_FILE = "adapter_config.json"
WEIGHTS_FILE = "adapter_model.safetensors"
CARD_FILE = "README.md"
MANIFEST_FILE = "manifest.json"
VALIDITY_FILE = "validity.json"
FILES = (CARD_FILE, CONFIG_FILE, WEIGHTS_FILE, MANIFEST_FILE)
MAX_LISTING_BYTES = 16 << 10
MAX_TEXT_BYTES = 1 << 20
MAX_WEIGHTS_BYTES = 512 << 20
DIGEST = r"0x[0-9a-f]{64}"


class BadBundle(IntegrityError):
    """A bundle that must not be served: wrong files, sizes, claims or weights."""


@dataclass(frozen=True)
class BundleFile:
    name: str
    cid: Cid
    size: int


@dataclass(frozen=True)
class BundleManifest:
    """What the bundle claims to be: its base, data, recipe, attribution index and validity report (None: it
    has none), with the part of the rows' units that is paid to them. Digests are 0x-hex.
    """

    base_name: str
    base_fingerprint: str
    tokenizer_digest: str
    dataset_manifest: Cid
    index: Cid
    recipe: Mapping[str, object]
    recipe_digest: str
    adapter_sha256: str
    validity: Cid | None = None
    kappa_ppm: int = TOTAL_PPM


@dataclass(frozen=True)
class Bundle:
    """A bundle whose listing and manifest are in order."""

    cid: Cid
    files: Mapping[str, BundleFile]
    manifest: BundleManifest


def read_bundle(blobs: BlobStore, cid: Cid) -> Bundle:
    """Read a bundle's listing and manifest. Raises NotFound where bytes are missing, else BadBundle."""
    try:
        files = parse_listing(blobs.get(cid, MAX_LISTING_BYTES))
        manifest = parse_manifest(file_bytes(blobs, files[MANIFEST_FILE]))
    except ProtocolError as error:
        raise BadBundle("not an adapter bundle", cid=cid.text, reason=str(error)) from error
    listed = files[VALIDITY_FILE].cid if VALIDITY_FILE in files else None
    if listed != manifest.validity:
        raise BadBundle("another validity report is named than listed", named=str(manifest.validity))
    return Bundle(cid, files, manifest)


def read_validity(blobs: BlobStore, bundle: Bundle) -> ValidityReport | None:
    """The bundle's own report. Raises BadBundle for one that is not of this adapter and its kappa."""
    if bundle.manifest.validity is None:
        return None
    try:
        report = decode_validity(file_bytes(blobs, bundle.files[VALIDITY_FILE]))
    except ProtocolError as error:
        raise BadBundle("not a validity report", reason=str(error)) from error
    check_validity(report, bundle)
    if report.shrinkage.kappa_ppm != bundle.manifest.kappa_ppm:
        raise BadBundle(
            "kappa is not the report's",
            claimed=bundle.manifest.kappa_ppm,
            actual=report.shrinkage.kappa_ppm,
        )
    return report


def check_validity(report: ValidityReport, bundle: Bundle) -> None:
    """Raises BadBundle for a report of another adapter or other rows."""
    of = (report.adapter_sha256, report.manifest_cid)
    expected = (bundle.manifest.adapter_sha256, bundle.manifest.dataset_manifest.text)
    if of != expected:
        raise BadBundle("validity report is of another adapter", expected=expected, actual=of)


def parse_listing(data: bytes) -> dict[str, BundleFile]:
    """`{"files":[{"name","cid","size"}]}` with exactly our four names and perhaps a validity report's. Raises
    ProtocolError or BadBundle.
    """
    fields = Fields(parse_json(data, MAX_LISTING_BYTES, 3), "bundle")
    entries = [_read_file(entry) for entry in fields.objects("files", len(FILES) + 1)]
    fields.done()
    if sorted(entry.name for entry in entries if entry.name != VALIDITY_FILE) != sorted(FILES):
        raise BadBundle("bundle has other files", expected=FILES, actual=[entry.name for entry in entries])
    return {entry.name: entry for entry in entries}


def file_bytes(blobs: BlobStore, file: BundleFile) -> bytes:
    """The bytes of one file, exactly as many as listed."""
    data = blobs.get(file.cid, file.size)
    if len(data) != file.size:
        raise BadBundle("file has another size", name=file.name, listed=file.size, actual=len(data))
    return data


def parse_manifest(data: bytes) -> BundleManifest:
    """The bundle's `manifest.json`. Raises ProtocolError."""
    fields = Fields(parse_json(data, MAX_TEXT_BYTES, 4), "manifest")
    fields.integer("v", 1, 1)
    recipe = fields.value("recipe")
    manifest = BundleManifest(
        fields.text("base_name", 256),
        fields.text("base_fingerprint", 66, DIGEST),
        fields.text("tokenizer_digest", 66, DIGEST),
        _read_cid(fields, "dataset_manifest_cid"),
        _read_cid(fields, "index_cid"),
        recipe if isinstance(recipe, dict) else {},
        fields.text("recipe_digest", 66, DIGEST),
        fields.text("adapter_sha256", 66, DIGEST),
        None if fields.absent("validity_cid") else _read_cid(fields, "validity_cid"),
        TOTAL_PPM if fields.absent("kappa_ppm") else fields.integer("kappa_ppm", 0, TOTAL_PPM),
    )
    fields.done()
    actual = to_hex(sha256(canonical_json(recipe)))
    if actual != manifest.recipe_digest:
        raise BadBundle("recipe has another digest", claimed=manifest.recipe_digest, actual=actual)
    return manifest


def _read_file(fields: Fields) -> BundleFile:
    name = fields.choice("name", (*FILES, VALIDITY_FILE))
    limit = MAX_WEIGHTS_BYTES if name == WEIGHTS_FILE else MAX_TEXT_BYTES
    file = BundleFile(name, _read_cid(fields, "cid"), fields.integer("size", 0, limit))
    fields.done()
    return file


def _read_cid(fields: Fields, name: str) -> Cid:
    try:
        return parse_cid(fields.text(name, 59))
    except CidError as error:
        raise fields.wrong(name, str(error)) from error
