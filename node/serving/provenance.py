"""Is the manifest that an answer would be paid by the one that the model's Datanet version published?

A bundle names its dataset manifest itself, and a manifest says who owns each row. Without this check whoever
registers a model could hand all of the data's share to rows of its own making.
"""

from __future__ import annotations

from node.chain.rpc import Chain
from node.errors import IntegrityError
from node.serving.model import ServedModel
from protocol.cid import cid_from_binary
from protocol.types import split_version_key

MANIFEST_FIELD = 7


class ManifestNotPublished(IntegrityError):
    """The model's manifest is not the one its Datanet version published."""


class Provenance:
    """Compares served models with DatanetRegistry; a published version never changes, so each is read
    once.
    """

    def __init__(self, chain: Chain) -> None:
        self._chain = chain
        self._registry = chain.contract("DatanetRegistry")
        self._published: dict[int, str] = {}

    def check(self, model: ServedModel) -> None:
        """Raise ManifestNotPublished unless the model names the published manifest, or has no Datanet at
        all.
        """
        key = model.datanet_version_key
        published = self._manifest_of(key) if key else None
        if model.manifest_cid != published:
            raise ManifestNotPublished(
                "the model's manifest is not its Datanet version's",
                model=model.name,
                manifest=model.manifest_cid,
                published=published,
            )

    def _manifest_of(self, key: int) -> str:
        if key not in self._published:
            datanet, version = split_version_key(key)
            found = self._chain.call(self._registry.functions.getVersion(datanet, version))
            self._published[key] = cid_from_binary(bytes(found[MANIFEST_FIELD])).text
        return self._published[key]
