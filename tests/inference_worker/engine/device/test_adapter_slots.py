"""The device tier of adapters."""

import random

import pytest
import torch

from inference_worker.adapters.packing import Layout
from inference_worker.adapters.residency import ResidencyFull
from inference_worker.engine.device.adapter_slots import AdapterSlots
from inference_worker.engine.device.device_adapter import tensors_of
from tests.inference_worker.adapters.peft_folders import shape
from tests.inference_worker.engine.device.on_device import needs_gpu
from tests.inference_worker.engine.device.test_device_adapter import random_adapter

LAYOUT = Layout(8, (0, 3), True)


def slots_for(count, device, pool="float32"):
    slots = AdapterSlots(shape(), device, pool, 0)
    return AdapterSlots(shape(), device, pool, count * slots.bytes_of(random_adapter(LAYOUT)))


@pytest.mark.parametrize("pool", ["float32", "bfloat16", "int8"])
def test_what_is_held_is_the_adapter_in_the_pools_dtype(device, pool):
    """SPEC 4.190"""
    packed = random_adapter(LAYOUT)
    held, _ = slots_for(1, device, pool).hold(packed)
    for actual, expected in zip(held.tensors, tensors_of(packed, shape(), pool), strict=True):
        assert (actual is None) == (expected is None)
        assert actual is None or (actual.device.type == device.type and torch.equal(actual.cpu(), expected))


def test_the_account_is_the_bytes_held_whatever_comes_and_goes(device):
    """SPEC 4.190: and an adapter that somebody holds stays where it is."""
    slots, chance, running = slots_for(3, device), random.Random(1), {}
    for step in range(200):
        number = chance.randrange(6)
        packed = random_adapter(LAYOUT, number, f"a{number}")
        if number in running and chance.random() < 0.6:
            running.pop(number)[1]()
        elif len(running) < 3 and number not in running:
            running[number] = slots.hold(packed)
        else:
            slots.prefetch(packed)
        for held, (adapter, _) in running.items():
            again, let_go = slots.hold(random_adapter(LAYOUT, held, f"a{held}"))
            let_go()
            assert again is adapter, step
        used = sum(account.nbytes for account in slots.residency.accounts().values())
        assert used + slots.residency.free == slots.residency.budget
        assert used == len(slots.residency) * slots.bytes_of(packed)


def test_no_adapter_takes_the_place_of_one_in_use(device):
    """SPEC 4.190"""
    slots = slots_for(1, device)
    _, let_go = slots.hold(random_adapter(LAYOUT, 0, "a"))
    other = random_adapter(LAYOUT, 1, "b")
    # Nothing is under way that one could wait for.
    assert slots.prefetch(other)
    with pytest.raises(ResidencyFull):
        slots.hold(other)
    let_go()
    assert slots.hold(other)[0].cid == "b"


@needs_gpu
def test_copies_come_in_turn_and_each_arrives_whole():
    """SPEC 4.190: more are asked for at once than are ever under way."""
    device = torch.device("cuda")
    slots, wanted = slots_for(12, device), [random_adapter(LAYOUT, n, f"a{n}") for n in range(12)]
    while not all([slots.prefetch(packed) for packed in wanted]):
        pass
    for packed in wanted:
        held, _ = slots.hold(packed)
        assert torch.equal(held.tensors.matrices.cpu(), tensors_of(packed, shape(), "float32").matrices)
