"""Every kind of bad bundle over the wire: refused by its own code, and the worker serves on as before."""

import json

import pytest
import torch

from tests.inference_worker.adapters.peft_folders import (
    adapter_files,
    config_dict,
    files,
    manifest,
    random_pairs,
    tensor_name,
)

WEIGHTS = "adapter_model.safetensors"
A0, B0 = tensor_name(0, "q_proj", "A"), tensor_name(0, "q_proj", "B")


def changed(change):
    tensors = random_pairs(1, 8)
    change(tensors)
    return files(tensors, config_dict())


def weights(edit):
    return {**adapter_files(), WEIGHTS: edit(adapter_files()[WEIGHTS])}


def without(name):
    return {known: data for known, data in adapter_files().items() if known != name}


BAD = {
    "wrong shape": ("adapter_shape_mismatch", changed(lambda t: t.update({A0: torch.ones(8, 60)}))),
    "missing pair": ("adapter_pair_incomplete", changed(lambda t: t.pop(B0))),
    "extra key": (
        "adapter_tensor_unexpected",
        changed(lambda t: t.update({"lm_head.weight": torch.ones(2)})),
    ),
    "wrong prefix": ("adapter_tensor_unexpected", changed(lambda t: t.update({A0[11:]: t.pop(A0)}))),
    "not a number": ("adapter_not_finite", changed(lambda t: t[A0].fill_(float("nan")))),
    "infinite": ("adapter_not_finite", changed(lambda t: t[B0].fill_(float("inf")))),
    "truncated": ("adapter_tensor_file_malformed", weights(lambda raw: raw[:-10])),
    "garbage": ("adapter_tensor_file_malformed", weights(lambda raw: b"\x01" + b"\0" * 7 + b"{" * 999)),
    "huge header": ("adapter_over_cap", weights(lambda raw: (2**62).to_bytes(8, "little") + raw[8:])),
    "pickle": ("adapter_file_not_allowed", {**adapter_files(), "adapter_model.bin": b"\x80\x04."}),
    "name that climbs": ("adapter_file_not_allowed", {**adapter_files(), "../manifest.json": b"{}"}),
    "missing file": ("adapter_file_missing", without("adapter_config.json")),
    "other base": ("adapter_wrong_base", {**adapter_files(), "manifest.json": manifest("0x00")}),
    "null base": ("adapter_wrong_base", {**adapter_files(), "manifest.json": b'{"base_fingerprint":null}'}),
    "unknown feature": ("adapter_feature_unsupported", adapter_files(lora_bias=True)),
}


@pytest.mark.parametrize("kind", BAD)
async def test_a_bad_bundle_is_422_by_its_kind_and_nothing_of_it_stays(worker, kind):
    """SPEC 4.8: no memory, no file, no lease; and the base answers with the bits that it had."""
    code, bundle = BAD[kind]
    _, before = await worker.generate(max_tokens=12, request_id="before")
    cid, status = worker.shelf.put_bundle(bundle), worker.services.loader.status
    for number in range(2):
        refused, reply = await worker.generate(adapter_cid=cid, request_id=f"bad-{number}")
        assert (refused, reply["code"]) == (422, code)
    assert status().host_used == status().disk_used == status().fetch_used == 0
    assert worker.services.loader.failures.refused()[cid][0] == code
    _, after = await worker.generate(max_tokens=12, request_id="after")
    assert after[-1] == before[-1]


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "..", "a/b", "bafk\0", "", "%2e%2e%2f"])
async def test_a_name_that_is_no_content_id_reaches_no_tier(worker, name):
    """SPEC 4.24, 4.103"""
    status, body = await worker.generate(adapter_cid=name)
    assert status == 400, body
    assert worker.shelf.fetches == [] and not worker.services.loader.status().requests
    assert json.loads((await worker.call("GET", "/quarantine"))[1]) == {"v": 1, "refused": [], "failed": []}
