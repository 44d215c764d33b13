"""Reading a bundle back for an evaluation: what it cannot evaluate rightly, it refuses."""

import pytest

from inference_worker.adapters.refusals import FeatureUnsupported
from inference_worker.training.bundle_reader import read_bundle
from tests.inference_worker.adapters.peft_folders import BlobShelf, manifest
from tests.inference_worker.adapters.peft_saved import saved_by_peft


class Shelf(BlobShelf):
    def get(self, cid):
        return self.fetch(cid, 1 << 30)


@pytest.mark.parametrize("invocation", [None, [5, 6]])
def test_alora_is_not_evaluated_as_if_it_applied_everywhere(tiny_base, tiny_base_dir, tmp_path, invocation):
    """SPEC 4.212"""
    named = saved_by_peft(tiny_base_dir, tmp_path, alora_invocation_tokens=invocation)
    shelf = Shelf()
    cid = shelf.put_bundle({**named, "manifest.json": manifest(tiny_base.fingerprint)})
    if invocation is None:
        assert read_bundle(shelf, cid, tiny_base).modules()
        return
    with pytest.raises(FeatureUnsupported) as refusal:
        read_bundle(shelf, cid, tiny_base)
    assert refusal.value.value == invocation
