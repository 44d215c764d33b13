"""What a bundle's CID stands for: an adapter, or members that agree in what a receipt names once."""

from collections.abc import Mapping

import pytest

from node.blobs.store import BlobStore
from node.errors import NotFound
from node.models.ensembles import read_model_bundle
from node.training.bundle import BadBundle, read_bundle
from protocol.cid import Cid, cid_of_raw
from protocol.ensemble import Member, encode_ensemble, ensemble_of
from protocol.types import TOTAL_PPM
from tests.node.bundles_made import bundle_files, put_bundle

DATA = cid_of_raw(b"a dataset manifest")


def adapter(
    blobs: BlobStore, name: bytes, changes: Mapping[str, object] | None = None, data: Cid = DATA
) -> Cid:
    """A bundle of its own: its index is."""
    return put_bundle(blobs, bundle_files(data, cid_of_raw(name), changes))


def record(blobs: BlobStore, *cids: Cid) -> Cid:
    weights = [TOTAL_PPM - len(cids) + 1, *[1] * (len(cids) - 1)]
    members = [Member(cid.text, ppm) for cid, ppm in zip(cids, weights, strict=True)]
    return blobs.put(encode_ensemble(ensemble_of(members)))


def test_a_single_adapter_has_all_of_the_weight(blobs: BlobStore) -> None:
    """SPEC 4.217"""
    cid = adapter(blobs, b"a")
    found = read_model_bundle(blobs, cid)
    assert [(member.bundle, member.ppm) for member in found.members] == [(read_bundle(blobs, cid), TOTAL_PPM)]
    assert (found.cid, found.manifest) == (cid, read_bundle(blobs, cid).manifest)


def test_an_ensemble_has_its_members_by_their_weights(blobs: BlobStore) -> None:
    """SPEC 4.217"""
    first, second = adapter(blobs, b"a"), adapter(blobs, b"b")
    cid = record(blobs, first, second)
    found = read_model_bundle(blobs, cid)
    assert {member.bundle.cid: member.ppm for member in found.members} == {first: TOTAL_PPM - 1, second: 1}
    assert found.cid == cid and found.manifest.dataset_manifest == DATA


@pytest.mark.parametrize(
    "changes", [{"base_fingerprint": "0x" + "00" * 32}, {"tokenizer_digest": "0x" + "00" * 32}]
)
def test_members_of_another_base_or_tokenizer_are_none(blobs: BlobStore, changes: dict[str, object]) -> None:
    """SPEC 4.217"""
    cid = record(blobs, adapter(blobs, b"a"), adapter(blobs, b"b", changes))
    with pytest.raises(BadBundle, match=next(iter(changes))):
        read_model_bundle(blobs, cid)


def test_members_of_another_dataset_are_none(blobs: BlobStore) -> None:
    """SPEC 4.217: rows of two versions cannot be named in one receipt."""
    cid = record(blobs, adapter(blobs, b"a"), adapter(blobs, b"b", data=cid_of_raw(b"another")))
    with pytest.raises(BadBundle, match="dataset_manifest"):
        read_model_bundle(blobs, cid)


def test_a_record_or_member_that_is_none_is_refused_and_a_missing_one_not_found(blobs: BlobStore) -> None:
    """SPEC 4.217"""
    first, second = adapter(blobs, b"a"), adapter(blobs, b"b")
    inner = record(blobs, first, second)
    with pytest.raises(BadBundle):
        read_model_bundle(blobs, record(blobs, first, inner))
    with pytest.raises(BadBundle, match="record"):
        read_model_bundle(blobs, blobs.put(encode_ensemble_of(first, second) + b" "))
    with pytest.raises(NotFound):
        read_model_bundle(blobs, record(blobs, first, cid_of_raw(b"not here")))


def encode_ensemble_of(*cids: Cid) -> bytes:
    return encode_ensemble(ensemble_of([Member(cid.text, TOTAL_PPM // len(cids)) for cid in cids]))
