"""Host memory that a GPU reads by itself."""

import pytest
import torch

from inference_worker.adapters.packed_file import in_own_memory, plain_pages
from inference_worker.adapters.packing import Layout
from inference_worker.engine.device.pinned import pinned_pages
from tests.inference_worker.engine.device.on_device import needs_gpu
from tests.inference_worker.engine.device.test_device_adapter import random_adapter


@pytest.mark.parametrize("new_pages", [plain_pages, pinned_pages], ids=["plain", "pinned"])
def test_an_adapter_is_the_same_in_any_memory(new_pages):
    """SPEC 4.190"""
    if new_pages is pinned_pages and not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    given = random_adapter(Layout(8, (0, 3), True))
    held = in_own_memory(given, new_pages)
    assert torch.equal(held.blob, given.blob) and held.blob.data_ptr() != given.blob.data_ptr()
    assert held.blob.is_pinned() == (new_pages is pinned_pages)


@needs_gpu
def test_memory_is_free_again_when_the_adapter_goes():
    """SPEC 4.190: the same address can be locked again only after it was unlocked."""
    for _ in range(50):
        held = in_own_memory(random_adapter(Layout(64, (0, 1, 2, 3))), pinned_pages)
        assert held.blob.is_pinned()
        del held
