"""A version that stands on a revoked row is flagged, by proof."""

from dataclasses import replace
from typing import Any

import pytest

from node.chain.keccak import keccak
from protocol import merkle
from protocol.hashing import from_hex, to_hex
from protocol.manifest import GRANTED, REVOKED, ManifestRow, row_payload
from tests.contracts.datanets import (
    DIGESTS,
    create,
    decide,
    ensure_stake,
    ledger_of,
    proof_tuple,
    publish,
    registry,
    revoke,
    submit,
)
from tests.contracts.models.test_model_registry import register_base, register_model
from tests.contracts.world import Mined, World, reverts

DIGEST = DIGESTS[1]


def rows_of(world: World, consents: tuple[str, ...] = (GRANTED,) * 3) -> list[ManifestRow]:
    owner = world.plain("contributor")
    return [
        ManifestRow(place, to_hex(digest), owner, place, "CC0-1.0", consent, False, "")
        for place, (digest, consent) in enumerate(zip(DIGESTS, consents, strict=True))
    ]


def version_of(world: World, rows: list[ManifestRow]) -> tuple[int, int]:
    """(Datanet, contribution) with the rows accepted and published as version 1."""
    datanet = create(world, "curator")
    ensure_stake(world, "curator")
    contribution = submit(world, datanet, "contributor")
    decide(world, contribution, 3, 0)
    root = merkle.root([row_payload(row, keccak) for row in rows], keccak)
    publish(world, datanet, "curator", rows=3, rows_root=root)
    return datanet, contribution


def flag(world: World, datanet: int, rows: list[ManifestRow], row: ManifestRow, index: int = 1) -> Mined:
    payloads = [row_payload(one, keccak) for one in rows]
    proof = proof_tuple(merkle.prove(payloads, index, keccak))
    fields = (from_hex(row.digest, 32), World.checksum(row.owner), row.cluster, row.consent == GRANTED)
    return world.send(registry(world).functions.flagRevoked(datanet, 1, fields, proof), "stranger")


def test_a_revoked_row_flags_its_version_for_ever(world: World) -> None:
    """SPEC 1.62 and 1.61: by anyone, once; consent granted again does not take the flag away."""
    rows = rows_of(world)
    datanet, contribution = version_of(world, rows)
    with reverts("DatanetRegistryRowNotRevoked", datanet, DIGEST):
        flag(world, datanet, rows, rows[1])
    revoke(world, contribution, "contributor", DIGEST)
    mined = flag(world, datanet, rows, rows[1])
    (event,) = world.events(mined, registry(world), "VersionFlagged")
    assert event == {"id": datanet, "version": 1, "digest": DIGEST}
    key = datanet << 64 | 1
    assert registry(world).functions.flaggedAt(key).call() == mined.time
    assert registry(world).functions.getVersion(datanet, 1).call()[4] == mined.time
    with reverts("DatanetRegistryAlreadyFlagged", datanet, 1, mined.time):
        flag(world, datanet, rows, rows[1])
    world.send(ledger_of(world).functions.grant(datanet, DIGEST), "contributor")
    assert registry(world).functions.flaggedAt(key).call() == mined.time
    assert registry(world).functions.versionExists(key).call()


@pytest.mark.parametrize(
    "change",
    [
        {"owner": "0x" + "11" * 20},
        {"cluster": 2},
        {"consent": REVOKED},
    ],
)
def test_a_changed_row_flags_nothing(world: World, change: dict[str, Any]) -> None:
    """SPEC 1.62 and 1.61: digest, owner, cluster and consent are all in the leaf."""
    rows = rows_of(world)
    datanet, contribution = version_of(world, rows)
    revoke(world, contribution, "contributor", DIGEST)
    with reverts("DatanetRegistryBadProof", datanet, 1, DIGEST):
        flag(world, datanet, rows, replace(rows[1], **change))
    with reverts("DatanetRegistryBadProof", datanet, 1, DIGEST):
        flag(world, datanet, rows, rows[1], index=2)
    with reverts("DatanetRegistryUnknownVersion", datanet + 1, 1):
        flag(world, datanet + 1, rows, rows[1])


def test_a_version_that_says_so_itself_is_not_flagged(world: World) -> None:
    """SPEC 1.62: a row that the version lists as revoked is no fault of the version's."""
    rows = rows_of(world, (GRANTED, REVOKED, GRANTED))
    datanet, contribution = version_of(world, rows)
    revoke(world, contribution, "contributor", DIGEST)
    with reverts("DatanetRegistryBadProof", datanet, 1, DIGEST):
        flag(world, datanet, rows, rows[1])


def test_no_model_is_registered_upon_a_flagged_version(world: World) -> None:
    """SPEC 3.43: models that were there before stay."""
    rows = rows_of(world)
    datanet, contribution = version_of(world, rows)
    base, key = register_base(world), datanet << 64 | 1
    before = register_model(world, base, datanetVersionKey=key)
    revoke(world, contribution, "contributor", DIGEST)
    flagged = flag(world, datanet, rows, rows[1]).time
    with reverts("ModelRegistryVersionFlagged", key, flagged):
        register_model(world, base, datanetVersionKey=key)
    assert world.contract("ModelRegistry").functions.getModel(before).call()[1] == 2
