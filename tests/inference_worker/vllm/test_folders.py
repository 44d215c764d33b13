"""What of an adapter is written out for vLLM: its numbers, exactly, and nothing else."""

import json
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file

from inference_worker.adapters.ingest import Caps, ingest
from inference_worker.adapters.packing import pack
from inference_worker.adapters.quantised import quantise
from inference_worker.vllm.folders import NotForVllm, check_adapter, write_folder, zero_adapter
from tests.inference_worker.adapters.peft_folders import FINGERPRINT, adapter_files, manifest, shape
from tests.inference_worker.engine.decoding import load_adapter


@pytest.mark.parametrize(
    "options",
    [
        {"seed": 3},
        {"seed": 4, "rank": 3},
        {"seed": 5, "modules": ("v_proj",)},
        {"seed": 6, "modules": ("q_proj", "down_proj")},
    ],
)
def test_a_folder_holds_the_same_adapter(tmp_path, options):
    """SPEC 4.196: our own strict ingestion takes it, and packs it to the same bits."""
    packed = load_adapter("cid", **options)
    write_folder(tmp_path / "cid", packed, shape())
    written = {path.name: path.read_bytes() for path in (tmp_path / "cid").iterdir()}
    assert written.keys() == {"adapter_config.json", "adapter_model.safetensors"}
    again = ingest({**written, "manifest.json": manifest()}, shape(), FINGERPRINT, Caps())
    repacked = pack("cid", again, shape())
    assert repacked.layout == packed.layout and torch.equal(repacked.blob, packed.blob)


def test_nothing_of_the_makers_own_files_is_in_it(tmp_path):
    """SPEC 4.196: neither its words nor its paths."""
    named = adapter_files(seed=1)
    config = json.loads(named["adapter_config.json"])
    config["base_model_name_or_path"] = "../../etc"
    named["adapter_config.json"] = json.dumps(config).encode()
    write_folder(tmp_path / "cid", load_adapter("cid", named=named), shape())
    assert (tmp_path / "cid").stat().st_mode & 0o777 == 0o700
    assert "etc" not in (tmp_path / "cid/adapter_config.json").read_text()


def test_the_base_alone_is_an_adapter_of_zeros(tmp_path):
    """SPEC 4.197"""
    write_folder(tmp_path / "z", zero_adapter("z", shape()), shape())
    tensors = load_file(tmp_path / "z/adapter_model.safetensors")
    assert len(tensors) == 3 * 7 * 2 and not any(bool(t.any()) for t in tensors.values())


def test_kinds_that_vllm_does_not_compute_are_refused():
    """SPEC 4.195"""
    plain = load_adapter("cid", rank=16)
    check_adapter(plain, 16)
    for odd, why in (
        (replace(plain, layout=replace(plain.layout, dora=True)), "DoRA"),
        (quantise(plain, shape()), "scales"),
        (replace(plain, blob=plain.blob.to(torch.bfloat16)), "bfloat16"),
        (replace(plain, invocation=(1, 2)), "invocation"),
        (load_adapter("cid", rank=17), "rank 32, above 16"),
    ):
        with pytest.raises(NotForVllm, match=why):
            check_adapter(odd, 16)


def test_a_folder_is_never_written_over(tmp_path):
    packed = load_adapter("cid", seed=1)
    write_folder(tmp_path / "cid", packed, shape())
    with pytest.raises(FileExistsError):
        write_folder(tmp_path / "cid", packed, shape())
    assert (tmp_path / "cid/adapter_config.json").is_file()
