"""Base models, and the models served upon them."""

from typing import Any

import pytest

from scripts.deployment_plan import Web3Deployer
from tests.contracts.datanets import create, deploy_tunable, publish, tune
from tests.contracts.world import World, reverts

CID = b"\x01\x55\x12\x20" + b"\x04" * 32
FINGERPRINT, TOKENIZER = b"\x0f" * 32, b"\x0e" * 32
DRAFT, LIVE, RETIRED = 1, 2, 3


def registry(world: World):  # type: ignore[no-untyped-def]
    return world.contract("ModelRegistry")


def register_base(world: World, fingerprint: bytes = FINGERPRINT) -> int:
    call = registry(world).functions.registerBase(fingerprint, TOKENIZER, CID)
    (event,) = world.events(world.send(call, "node"), registry(world), "BaseRegistered")
    return int(event["id"])


def terms(base: int, **changed: Any) -> tuple[Any, ...]:
    fields = {
        "name": "icd-coder",
        "baseId": base,
        "datanetVersionKey": 0,
        "bundleCid": CID,
        "recipeDigest": b"\x01" * 32,
        "indexDigest": b"\x02" * 32,
        "inRate": 10**15,
        "outRate": 2 * 10**15,
        "fixedPrice": 7,
        "parents": [],
        "royaltiesPpm": [],
        "minSpanTokens": 8,
    }
    assert set(changed) <= set(fields)
    return tuple((fields | changed).values())


def register_model(
    world: World, base: int, sender: str = "model_owner", live: bool = True, **changed: Any
) -> int:
    call = registry(world).functions.registerModel(terms(base, **changed), live)
    (event,) = world.events(world.send(call, sender), registry(world), "ModelRegistered")
    return int(event["id"])


def test_a_base_model_is_registered_once(world: World) -> None:
    """SPEC 3.20: one base model per fingerprint; ids count from 1."""
    assert register_base(world) == 1
    with reverts("ModelRegistryBaseAlreadyRegistered", FINGERPRINT, 1):
        register_base(world)
    assert register_base(world, b"\x0d" * 32) == 2
    assert registry(world).functions.baseIdOf(FINGERPRINT).call() == 1
    assert registry(world).functions.getBase(1).call()[2:] == (FINGERPRINT, TOKENIZER, CID)
    with reverts("ModelRegistryZeroDigest"):
        register_base(world, bytes(32))


def test_a_model_is_registered_as_it_was_described(world: World) -> None:
    datanet = create(world, "curator")
    publish(world, datanet, "curator")
    key = (datanet << 64) | 1
    base = register_base(world)
    model = register_model(world, base, datanetVersionKey=key)
    owner, status, found, registered_at = registry(world).functions.getModel(model).call()
    assert (owner, status, registered_at) == (world.address("model_owner"), LIVE, world.now)
    assert tuple(found) == terms(base, datanetVersionKey=key)


def test_a_name_belongs_to_its_first_owner(world: World) -> None:
    """SPEC 3.21: a name's models are its owner's versions 1, 2, ...; version 0 is the latest."""
    base = register_base(world)
    first, second = register_model(world, base), register_model(world, base)
    by_name = registry(world).functions.modelByName
    assert [by_name("icd-coder", v).call() for v in (0, 1, 2)] == [second, first, second]
    with reverts("ModelRegistryNameTaken", "icd-coder", world.address("model_owner")):
        register_model(world, base, sender="stranger")
    for name, version in (("icd-coder", 3), ("other", 0)):
        with reverts("ModelRegistryUnknownName", name, version):
            world.call(by_name(name, version))


def test_only_the_owner_sets_price_and_status(world: World) -> None:
    """SPEC 3.22: the owner changes price and status; nothing changes the other terms; retired is for ever."""
    base = register_base(world)
    model = register_model(world, base)
    world.send(registry(world).functions.setPrice(model, 1, 2, 3), "model_owner")
    found = registry(world).functions.getModel(model).call()[2]
    assert tuple(found) == terms(base, inRate=1, outRate=2, fixedPrice=3)
    status = registry(world).functions.setStatus
    for call in (status(model, DRAFT), registry(world).functions.setPrice(model, 0, 0, 0)):
        with reverts("ModelRegistryNotOwner", model, world.address("stranger"), world.address("model_owner")):
            world.send(call, "stranger")
    for new in (DRAFT, LIVE, RETIRED):
        world.send(status(model, new), "model_owner")
    with reverts("ModelRegistryRetired", model):
        world.send(status(model, LIVE), "model_owner")


def test_a_model_is_a_draft_live_or_retired(world: World) -> None:
    """SPEC 3.40: draft and live in turn, retired for ever, and never nothing."""
    base = register_base(world)
    model = register_model(world, base, live=False)
    read, status = registry(world).functions.getModel, registry(world).functions.setStatus
    assert read(model).call()[1] == DRAFT
    for new in (LIVE, DRAFT, DRAFT, LIVE):
        world.send(status(model, new), "model_owner")
        assert read(model).call()[1] == new
    with reverts("ModelRegistryNoStatus", model):
        world.send(status(model, 0), "model_owner")
    world.send(status(model, RETIRED), "model_owner")
    for new in (DRAFT, LIVE, RETIRED):
        with reverts("ModelRegistryRetired", model):
            world.send(status(model, new), "model_owner")


def test_every_price_stays_readable(world: World) -> None:
    """SPEC 3.41: at each second one price is in force: the last that was set at or before it."""
    model = register_model(world, register_base(world))
    born = world.now
    at, by_time = registry(world).functions.priceAt, {born: (10**15, 2 * 10**15, 7)}
    for step in range(1, 8):
        mined = world.send(
            registry(world).functions.setPrice(model, step, step * 2, step * 3),
            "model_owner",
            born + step * step,
        )
        by_time[mined.time] = (step, step * 2, step * 3)
    for time in range(born, born + 60):
        since = max(one for one in by_time if one <= time)
        assert tuple(at(model, time).call()) == (since, *by_time[since])
    with reverts("ModelRegistryNoPriceAt", model, born - 1, born):
        world.call(at(model, born - 1))
    assert at(model, 2**64 - 1).call()[1] == 7
    assert registry(world).functions.getModel(model).call()[2][6:9] == (7, 14, 21)
    with reverts("ModelRegistryUnknownModel", model + 1):
        world.call(at(model + 1, born))


def test_a_second_price_within_one_second_replaces_the_first(world: World) -> None:
    """SPEC 3.41"""
    model = register_model(world, register_base(world))
    world.chain.set_next(world.now + 5)
    world.chain.gather(True)
    for rate in (5, 6):
        registry(world).functions.setPrice(model, rate, rate, rate).transact(
            {"from": world.address("model_owner"), "gas": 500_000}
        )
    world.chain.mine()
    world.chain.gather(False)
    assert registry(world).functions.priceAt(model, world.now).call()[1:] == (6, 6, 6)
    assert registry(world).functions.priceAt(model, world.now - 1).call()[1] == 10**15


def test_the_licence_is_the_datanets_at_registration(world: World) -> None:
    """SPEC 3.42: and a bare base has none."""
    datanet = create(world, "curator", licence="CC-BY-4.0")
    publish(world, datanet, "curator")
    base = register_base(world)
    model = register_model(world, base, datanetVersionKey=(datanet << 64) | 1)
    bare = register_model(world, base)
    assert registry(world).functions.licenceOf(model).call() == "CC-BY-4.0"
    assert registry(world).functions.licenceOf(bare).call() == ""


def test_a_model_with_a_datanet_has_a_span_threshold(world: World) -> None:
    """SPEC 3.44: at least 1; a bare base needs none."""
    datanet = create(world, "curator")
    publish(world, datanet, "curator")
    base = register_base(world)
    with reverts("ModelRegistryNoSpanThreshold"):
        register_model(world, base, datanetVersionKey=(datanet << 64) | 1, minSpanTokens=0)
    register_model(world, base, datanetVersionKey=(datanet << 64) | 1, minSpanTokens=1)
    register_model(world, base, minSpanTokens=0)


def test_a_pause_stops_new_models_alone(world: World) -> None:
    """SPEC 3.45: prices and statuses still change."""
    base = register_base(world)
    model = register_model(world, base)
    world.send(world.contract("Guardian").functions.pause(registry(world).address), "guardian")
    with reverts("ModelRegistryPaused"):
        register_model(world, base)
    world.send(registry(world).functions.setPrice(model, 1, 1, 1), "model_owner")
    world.send(registry(world).functions.setStatus(model, RETIRED), "model_owner")


def test_royalties_follow_the_parameter_in_force(world: World) -> None:
    """SPEC 3.23: maxRoyaltiesPpm bounds what is registered from then on."""
    before = dict(world.record["contracts"])
    world.record["contracts"].update(deploy_tunable(world))
    at = {name: world.checksum(address) for name, address in world.record["contracts"].items()}
    deployer = Web3Deployer(world.web3, world.address("deployer"))
    own = deployer.deploy("ModelRegistry", at["DatanetRegistry"], at["ProtocolParameters"], at["Guardian"])
    world.record["contracts"]["ModelRegistry"] = own.lower()
    try:
        base = register_base(world)
        parent = register_model(world, base)
        tune(world, "maxRoyaltiesPpm", 100_000)
        with reverts("ModelRegistryRoyaltiesTooHigh", 100_001, 100_000):
            register_model(world, base, parents=[parent], royaltiesPpm=[100_001])
        register_model(world, base, parents=[parent], royaltiesPpm=[100_000])
    finally:
        world.record["contracts"].update(before)


@pytest.mark.parametrize(
    ("royalties", "error", "values"),
    [
        ([500_001], "ModelRegistryRoyaltiesTooHigh", (500_001, 500_000)),
        ([], "ModelRegistryRoyaltiesMismatch", (1, 0)),
        ([1, 1], "ModelRegistryRoyaltiesMismatch", (1, 2)),
    ],
)
def test_royalties_are_bounded(
    world: World, royalties: list[int], error: str, values: tuple[int, ...]
) -> None:
    """SPEC 3.23: parents exist, at most 8, with one royalty each and at most 500,000 ppm in all."""
    base = register_base(world)
    parent = register_model(world, base)
    with reverts(error, *values):
        register_model(world, base, parents=[parent], royaltiesPpm=royalties)


def test_parents_are_known_and_few(world: World) -> None:
    """SPEC 3.23: parents exist, at most 8, with one royalty each and at most 500,000 ppm in all."""
    base = register_base(world)
    parent = register_model(world, base)
    register_model(world, base, parents=[parent] * 2, royaltiesPpm=[250_000] * 2)
    with reverts("ModelRegistryTooManyParents", 9, 8):
        register_model(world, base, parents=[parent] * 9, royaltiesPpm=[1] * 9)
    with reverts("ModelRegistryUnknownModel", 44):
        register_model(world, base, parents=[44], royaltiesPpm=[1])


def test_base_and_datanet_version_exist(world: World) -> None:
    """SPEC 3.24: a model names a registered base model, and a published Datanet version or none."""
    with reverts("ModelRegistryUnknownBase", 1):
        register_model(world, 1)
    base = register_base(world)
    with reverts("ModelRegistryUnknownDatanetVersion", (1 << 64) | 1):
        register_model(world, base, datanetVersionKey=(1 << 64) | 1)
    with reverts("ModelRegistryUnknownBase", 5):
        world.call(registry(world).functions.getBase(5))
    with reverts("ModelRegistryUnknownModel", 5):
        world.call(registry(world).functions.getModel(5))
