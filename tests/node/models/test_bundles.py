"""A bundle is served only when every file is allowed, listed, sized, hashed and consistent."""

import pickle
from pathlib import Path

import pytest

from node.blobs.store import BlobStore
from node.errors import NotFound
from node.models.bundles import verify_bundle
from node.training.bundle import BadBundle, read_validity
from protocol.canonical import canonical_json
from protocol.cid import Cid, cid_of_raw
from protocol.errors import DagError
from tests.node.bundles_made import bundle_files, put_bundle, weights, with_report

MANIFEST, INDEX = cid_of_raw(b"manifest"), cid_of_raw(b"index")


class Canary:
    """Unpickling one of these leaves a file behind."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.fixture
def files() -> dict[str, bytes]:
    return bundle_files(MANIFEST, INDEX)


def test_a_sound_bundle_is_accepted_with_its_facts(blobs: BlobStore, files: dict[str, bytes]) -> None:
    """SPEC 3.1"""
    checked = verify_bundle(blobs, put_bundle(blobs, files))
    assert checked.rank == 4 and len(checked.tensors) == 4
    assert checked.bundle.manifest.dataset_manifest == MANIFEST and checked.bundle.manifest.index == INDEX


PICKLE_NAMES = [
    "adapter_model.bin",
    "model.pt",
    "x.pth",
    "x.ckpt",
    "x.pt2",
    "../adapter_model.safetensors",
    "README.MD",
]


@pytest.mark.parametrize("name", PICKLE_NAMES)
def test_any_other_file_refuses_the_whole_bundle(
    blobs: BlobStore, files: dict[str, bytes], name: str, tmp_path: Path
) -> None:
    """SPEC 3.1"""
    canary = tmp_path / "canary"
    evil = pickle.dumps(Canary(canary))
    with pytest.raises(BadBundle):
        verify_bundle(blobs, put_bundle(blobs, files | {name: evil}))
    swapped = {key: value for key, value in files.items() if key != "adapter_model.safetensors"} | {
        name: evil
    }
    with pytest.raises(BadBundle):
        verify_bundle(blobs, put_bundle(blobs, swapped))
    assert not canary.exists()


def test_a_pickle_under_the_weights_name_is_never_opened(
    blobs: BlobStore, files: dict[str, bytes], tmp_path: Path
) -> None:
    """SPEC 3.3"""
    canary = tmp_path / "canary"
    evil = pickle.dumps(Canary(canary))
    for data in (evil, weights() + evil, weights()[:8] + evil):
        with pytest.raises(BadBundle):
            verify_bundle(blobs, put_bundle(blobs, files | {"adapter_model.safetensors": data}))
    assert not canary.exists()


@pytest.mark.parametrize(
    "missing", ["README.md", "adapter_config.json", "adapter_model.safetensors", "manifest.json"]
)
def test_a_missing_file_is_refused(blobs: BlobStore, files: dict[str, bytes], missing: str) -> None:
    """SPEC 3.1"""
    del files[missing]
    with pytest.raises(BadBundle):
        verify_bundle(blobs, put_bundle(blobs, files))


def test_a_bundle_may_bring_its_validity_report(blobs: BlobStore, files: dict[str, bytes]) -> None:
    """SPEC 5.232"""
    checked = verify_bundle(blobs, put_bundle(blobs, with_report(files)))
    report = read_validity(blobs, checked.bundle)
    assert report is not None and report.shrinkage.kappa_ppm == checked.bundle.manifest.kappa_ppm
    assert read_validity(blobs, verify_bundle(blobs, put_bundle(blobs, files)).bundle) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"adapter_sha256": "0x" + "00" * 32},
        {"manifest_cid": "bafy-other"},
        {"kappa_ppm": 999_999},
        {"payouts": None},
        {"rows": 0},
    ],
)
def test_a_report_of_something_else_refuses_the_bundle(
    blobs: BlobStore, files: dict[str, bytes], changes: dict[str, object]
) -> None:
    """SPEC 5.232"""
    with pytest.raises(BadBundle):
        verify_bundle(blobs, put_bundle(blobs, with_report(files, changes)))


def test_a_report_is_named_if_and_only_if_it_is_listed(blobs: BlobStore, files: dict[str, bytes]) -> None:
    """SPEC 5.232"""
    full = with_report(files)
    unnamed = {**full, "manifest.json": files["manifest.json"]}
    unlisted = {name: data for name, data in full.items() if name != "validity.json"}
    other = {**full, "validity.json": full["validity.json"] + b" "}
    for broken in (unnamed, unlisted, other):
        with pytest.raises(BadBundle):
            verify_bundle(blobs, put_bundle(blobs, broken))


CHANGES: dict[str, dict[str, object]] = {
    "weights of another digest": {"adapter_sha256": "0x" + "00" * 32},
    "recipe of another digest": {"recipe_digest": "0x" + "00" * 32},
    "version": {"v": 2},
    "extra field": {"code": "import os"},
    "path": {"index_cid": "../../index"},
    "fingerprint": {"base_fingerprint": "AB"},
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_manifest_that_lies_is_refused(blobs: BlobStore, name: str) -> None:
    """SPEC 3.1"""
    with pytest.raises(BadBundle):
        verify_bundle(blobs, put_bundle(blobs, bundle_files(MANIFEST, INDEX, CHANGES[name])))


@pytest.mark.parametrize(
    "config",
    [
        b"{}",
        b"[]",
        b"x",
        b'{"peft_type":"IA3","r":4}',
        b'{"peft_type":"LORA","r":65}',
        b'{"peft_type":"LORA","r":true}',
    ],
)
def test_a_config_of_no_served_lora_is_refused(
    blobs: BlobStore, files: dict[str, bytes], config: bytes
) -> None:
    """SPEC 3.1"""
    with pytest.raises(BadBundle):
        verify_bundle(blobs, put_bundle(blobs, files | {"adapter_config.json": config}))


def listing(blobs: BlobStore, files: dict[str, bytes], **sizes: int) -> Cid:
    entries = [
        {"name": name, "cid": blobs.put(data).text, "size": sizes.get(name.partition(".")[0], len(data))}
        for name, data in sorted(files.items())
    ]
    return blobs.put(canonical_json({"files": entries}))


def test_a_file_larger_than_listed_is_not_even_read_whole(blobs: BlobStore, files: dict[str, bytes]) -> None:
    """SPEC 3.1"""
    with pytest.raises((BadBundle, DagError)):
        verify_bundle(blobs, listing(blobs, files, adapter_model=10))
    with pytest.raises(BadBundle):
        verify_bundle(blobs, listing(blobs, files, adapter_model=10**12))
    with pytest.raises(BadBundle):
        verify_bundle(blobs, listing(blobs, files, README=100))


def test_bytes_that_are_not_here_are_not_found(blobs: BlobStore, files: dict[str, bytes]) -> None:
    """SPEC 3.1"""
    with pytest.raises(NotFound):
        verify_bundle(blobs, cid_of_raw(b"no such bundle"))
    cid = put_bundle(blobs, files)
    blobs.unpin(cid_of_raw(files["README.md"]))
    blobs.collect()
    with pytest.raises(NotFound):
        verify_bundle(blobs, cid)
