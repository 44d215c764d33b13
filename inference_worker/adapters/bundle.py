"""From a content id to a packed adapter: the listing, the listed files, ingestion, packing; or the members of
an ensemble, each in that way, and their sum.

Refuses before it fetches wherever the listing suffices. What it is given to fetch with has checked every
byte against its content id.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from inference_worker.adapters.fetch_room import FetchRoom
from inference_worker.adapters.ingest import Caps, check_names
from inference_worker.adapters.packer import Loaded, Packer, Part
from inference_worker.adapters.refusals import AdapterRefused, BundleMalformed, MemberRefused, OverCap
from inference_worker.blobs.abort import Abort
from protocol.canonical import parse_json
from protocol.cid import parse_cid
from protocol.ensemble import Ensemble, Member, decode_ensemble, is_ensemble
from protocol.errors import ProtocolError

_MAX_FILES = 16
# Content id, the most bytes to take, and how to be stopped; raises a WorkerError for what is absent, longer
# or other than its id says.
Fetch = Callable[[str, int, Abort], bytes]


@dataclass(frozen=True)
class BundleFile:
    """One line of a bundle's listing."""

    name: str
    cid: str
    size: int


@dataclass(frozen=True)
class BundleSource:
    """Adapters of one base as the node has them."""

    fetch: Fetch
    packer: Packer
    room: FetchRoom = field(default_factory=FetchRoom)

    def load(self, cid: str, abort: Abort) -> Loaded:
        """Fetch, check and pack one adapter or ensemble; raises AdapterRefused for its bytes, WorkerError for
        the way."""
        raw = self.fetch(cid, self._caps.text_bytes, abort)
        if is_ensemble(raw):
            return self._sum(cid, _parse_ensemble(raw), abort)
        listing = parse_listing(raw, self._caps)
        with self.room.taken(_total(listing), abort):
            return self.packer.pack(cid, [Part(cid, self._files(listing, abort))])

    @property
    def _caps(self) -> Caps:
        return self.packer.rules.caps

    def _sum(self, cid: str, ensemble: Ensemble, abort: Abort) -> Loaded:
        listings = [self._member_listing(member, abort) for member in ensemble.members]
        total = sum(_total(listing) for listing in listings)
        if total > self._caps.total_bytes:
            raise OverCap("bytes of all members", total, self._caps.total_bytes)
        # All at once: two ensembles that held a part each could wait for each other.
        with self.room.taken(total, abort):
            parts = [
                self._member(member, listing, abort)
                for member, listing in zip(ensemble.members, listings, strict=True)
            ]
            return self.packer.pack(cid, parts)

    def _member(self, member: Member, listing: tuple[BundleFile, ...], abort: Abort) -> Part:
        try:
            return Part(member.cid, self._files(listing, abort), member.ppm)
        except AdapterRefused as refusal:
            raise MemberRefused(member.cid, refusal) from refusal

    def _member_listing(self, member: Member, abort: Abort) -> tuple[BundleFile, ...]:
        try:
            return parse_listing(self.fetch(member.cid, self._caps.text_bytes, abort), self._caps)
        except AdapterRefused as refusal:
            raise MemberRefused(member.cid, refusal) from refusal

    def _files(self, listing: tuple[BundleFile, ...], abort: Abort) -> dict[str, bytes]:
        files = {}
        for file in listing:
            data = self.fetch(file.cid, file.size, abort)
            if len(data) != file.size:
                raise BundleMalformed(f"{file.name} has {len(data)} bytes, listed {file.size}")
            files[file.name] = data
        return files


def _parse_ensemble(raw: bytes) -> Ensemble:
    try:
        return decode_ensemble(raw)
    except ProtocolError as error:
        raise BundleMalformed(str(error)) from error


def parse_listing(raw: bytes, caps: Caps) -> tuple[BundleFile, ...]:
    """Read `{"files":[{"name","cid","size"}]}`; refuses before anything listed is fetched."""
    try:
        data = parse_json(raw, caps.text_bytes, 8)
    except ProtocolError as error:
        raise BundleMalformed(str(error)) from error
    if not isinstance(data, dict) or set(data) != {"files"} or not isinstance(data["files"], list):
        raise BundleMalformed("is not an object with the one key `files`")
    if len(data["files"]) > _MAX_FILES:
        raise OverCap("files", len(data["files"]), _MAX_FILES)
    listing = tuple(_parse_file(entry) for entry in data["files"])
    if len({file.name for file in listing}) != len(listing):
        raise BundleMalformed("names a file twice")
    check_names(file.name for file in listing)
    total = _total(listing)
    if total > caps.total_bytes:
        raise OverCap("bundle bytes", total, caps.total_bytes)
    return listing


def _total(listing: tuple[BundleFile, ...]) -> int:
    return sum(file.size for file in listing)


def _parse_file(entry: object) -> BundleFile:
    if not isinstance(entry, dict) or set(entry) != {"name", "cid", "size"}:
        raise BundleMalformed("an entry has other keys than name, cid, size")
    name, cid, size = entry["name"], entry["cid"], entry["size"]
    if not isinstance(name, str) or not isinstance(cid, str) or type(size) is not int or size < 0:
        raise BundleMalformed("an entry has a value of the wrong type")
    try:
        parse_cid(cid)
    except ProtocolError as error:
        raise BundleMalformed(f"{name}: {error}") from error
    return BundleFile(name, cid, size)
