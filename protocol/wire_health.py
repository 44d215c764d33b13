"""What a worker says about itself."""

from dataclasses import dataclass
from typing import Self

from protocol.fields import Fields
from protocol.hashing import to_hex
from protocol.wire_fields import DIGEST, NAME, VERSION, opened, read_cid

MAX_ADAPTERS = 1 << 16
MAX_JOBS = 1 << 12


@dataclass(frozen=True, slots=True)
class BaseInfo:
    """The base model a worker holds: 0x-hex sha256 digests and a name for people."""

    fingerprint: str
    tokenizer_digest: str
    name: str


@dataclass(frozen=True, slots=True)
class AdapterInfo:
    """An adapter the worker knows, by its bundle's CID; `state` is "resident", "loading", "cached", …"""

    cid: str
    state: str


@dataclass(frozen=True, slots=True)
class WorkerHealth:
    """What a worker is and holds; `jobs` are the ids of jobs not yet ended."""

    status: str
    base: BaseInfo
    profile_id: bytes
    adapters: tuple[AdapterInfo, ...]
    jobs: tuple[str, ...]

    def to_json(self) -> dict[str, object]:
        """Plain values."""
        return {
            "v": VERSION,
            "status": self.status,
            "base": {
                "fingerprint": self.base.fingerprint,
                "tokenizer_digest": self.base.tokenizer_digest,
                "name": self.base.name,
            },
            "profile_id": to_hex(self.profile_id),
            "adapters": [{"cid": adapter.cid, "state": adapter.state} for adapter in self.adapters],
            "jobs": list(self.jobs),
        }

    @classmethod
    def from_json(cls, value: object) -> Self:
        """The record this object spells."""
        fields = opened(value, "health")
        health = cls(
            status=fields.text("status", 32, NAME),
            base=_read_base(fields.child("base")),
            profile_id=fields.hexadecimal("profile_id", 32),
            adapters=tuple(_read_adapter(adapter) for adapter in fields.objects("adapters", MAX_ADAPTERS)),
            jobs=fields.texts("jobs", MAX_JOBS, 128, NAME),
        )
        fields.done()
        return health


def _read_base(fields: Fields) -> BaseInfo:
    base = BaseInfo(
        fields.text("fingerprint", 66, DIGEST),
        fields.text("tokenizer_digest", 66, DIGEST),
        fields.text("name", 256),
    )
    fields.done()
    return base


def _read_adapter(fields: Fields) -> AdapterInfo:
    adapter = AdapterInfo(read_cid(fields, "cid"), fields.text("state", 32, NAME))
    fields.done()
    return adapter
