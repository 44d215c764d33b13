"""Datanets: owners, curators, versions."""

import pytest

from tests.contracts.datanets import CID, ICD, ROOT, ROWS_ROOT, create, publish, registry
from tests.contracts.world import World, reverts


def test_ids_count_from_one_and_belong_to_their_makers(world: World) -> None:
    """SPEC 1.20: Datanet ids count from 1; the creator owns and curates it."""
    assert [create(world, "curator"), create(world, "stranger")] == [1, 2]
    owner, created_at, versions, gated, kind, name, licence, cid = (
        registry(world).functions.getDatanet(1).call()
    )
    assert (owner, versions, gated, kind) == (world.address("curator"), 0, False, ICD)
    assert (name, licence, cid) == ("icd-10-cm", "CC0-1.0", CID)
    assert 0 < created_at <= world.now
    assert registry(world).functions.isCurator(1, world.address("curator")).call()
    assert not registry(world).functions.isCurator(1, world.address("stranger")).call()


def test_versions_count_from_one_and_never_change(world: World) -> None:
    """SPEC 1.22: a published version stays as it was published."""
    datanet = create(world, "curator")
    assert publish(world, datanet, "curator") == 1
    first = registry(world).functions.getVersion(datanet, 1).call()
    assert publish(world, datanet, "curator", parent=1, root=b"\x0b" * 32, rows=9) == 2
    assert registry(world).functions.getVersion(datanet, 1).call() == first
    assert first[2:] == (0, 4, 0, ROOT, ROWS_ROOT, CID)
    key = (datanet << 64) | 2
    assert registry(world).functions.versionExists(key).call()
    assert not registry(world).functions.versionExists(key + 1).call()


@pytest.mark.parametrize("parent", [2, 3, 2**64 - 1])
def test_a_parent_is_an_earlier_version(world: World, parent: int) -> None:
    """SPEC 1.23: a version's parent is an earlier version of its Datanet, or 0."""
    datanet = create(world, "curator")
    publish(world, datanet, "curator")
    with reverts("DatanetRegistryUnknownVersion", datanet, parent):
        publish(world, datanet, "curator", parent=parent)
    assert publish(world, datanet, "curator", parent=1) == 2


def test_only_curators_publish_and_only_the_owner_names_them(world: World) -> None:
    """SPEC 1.21: the owner names curators; curators publish; a dismissed curator does not."""
    datanet = create(world, "curator")
    with reverts("DatanetRegistryNotCurator", datanet, world.address("contributor")):
        publish(world, datanet, "contributor")
    appoint = registry(world).functions.setCurator
    with reverts("DatanetRegistryNotOwner", datanet, world.address("stranger"), world.address("curator")):
        world.send(appoint(datanet, world.address("stranger"), True), "stranger")
    world.send(appoint(datanet, world.address("contributor"), True), "curator")
    publish(world, datanet, "contributor")
    world.send(appoint(datanet, world.address("contributor"), False), "curator")
    with reverts("DatanetRegistryNotCurator", datanet, world.address("contributor")):
        publish(world, datanet, "contributor")


@pytest.mark.parametrize(
    ("root", "rows_root", "rows"),
    [
        (ROOT, ROWS_ROOT, 0),
        (bytes(32), bytes(32), 3),
        (ROOT, bytes(32), 3),
        (bytes(32), ROWS_ROOT, 3),
        (bytes(32), ROWS_ROOT, 0),
    ],
)
def test_roots_and_row_count_belong_together(world: World, root: bytes, rows_root: bytes, rows: int) -> None:
    """SPEC 1.25: a version without rows has zero roots, and only such a version."""
    datanet = create(world, "curator")
    with reverts("DatanetRegistryEmptyVersion", root, rows_root, rows):
        publish(world, datanet, "curator", root=root, rows=rows, rows_root=rows_root)
    publish(world, datanet, "curator", root=bytes(32), rows=0)


def test_token_chunks_are_registered_once_per_tokenizer(world: World) -> None:
    """SPEC 1.26: a version has one chunk root for each tokenizer, for ever."""
    datanet = create(world, "curator")
    publish(world, datanet, "curator")
    register = registry(world).functions.registerTokenChunks
    world.send(register(datanet, 1, b"\x01" * 32, b"\x02" * 32, 5), "curator")
    world.send(register(datanet, 1, b"\x03" * 32, b"\x04" * 32, 6), "curator")
    read = registry(world).functions.tokenChunks
    assert read(datanet, 1, b"\x01" * 32).call() == [b"\x02" * 32, 5]
    assert read(datanet, 1, b"\x03" * 32).call() == [b"\x04" * 32, 6]
    assert read(datanet, 1, b"\x05" * 32).call() == [bytes(32), 0]
    with reverts("DatanetRegistryChunksAlreadyRegistered", datanet, 1, b"\x01" * 32):
        world.send(register(datanet, 1, b"\x01" * 32, b"\x09" * 32, 5), "curator")
    with reverts("DatanetRegistryUnknownVersion", datanet, 2):
        world.send(register(datanet, 2, b"\x01" * 32, b"\x02" * 32, 5), "curator")
    for root, count in ((bytes(32), 5), (b"\x02" * 32, 0)):
        with reverts("DatanetRegistryEmptyChunks", root, count):
            world.send(register(datanet, 1, b"\x06" * 32, root, count), "curator")


def test_texts_and_cids_are_bounded(world: World) -> None:
    """SPEC 1.27: names and licences have 1 to 64 bytes, CIDs at most 96."""
    with reverts("BoundedBytesTooLong", 65, 64):
        create(world, "curator", name="x" * 65)
    with reverts("BoundedBytesEmpty"):
        create(world, "curator", licence="")
    with reverts("BoundedBytesTooLong", 97, 96):
        create(world, "curator", cid=b"\x01" * 97)


def test_unknown_ids_revert(world: World) -> None:
    with reverts("DatanetRegistryUnknownDatanet", 1):
        world.call(registry(world).functions.getDatanet(1))
    with reverts("DatanetRegistryUnknownVersion", 1, 1):
        world.call(registry(world).functions.getVersion(1, 1))
