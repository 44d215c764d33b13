"""The packed file: what was written comes back bit for bit, and any other byte of it is noticed."""

import hashlib
import os
from contextlib import contextmanager
from dataclasses import fields

import pytest
import torch

from inference_worker.adapters.ingest import CheckedAdapter, LoraPair
from inference_worker.adapters.packed_file import (
    HEADER_BYTES,
    PACKER_VERSION,
    PackedFileBad,
    PackedFileStale,
    in_own_memory,
    mark_of,
    payload_bytes,
    read_packed,
    write_packed,
)
from inference_worker.adapters.packing import Layout, PackedAdapter, pack
from tests.inference_worker.adapters.peft_folders import FINGERPRINT, shape
from tests.inference_worker.engine.decoding import load_adapter

# sha256 of the payload of one fixed adapter as each packer version lays it out.
# Version 2 added the tokens of aLoRA to the header.
GOLDEN = {2: "bb3027edcb6e3f0e04c1e1b00d477e72e674d674e2fa2df32c289d91d09baae9"}


@contextmanager
def opened(path, flags=os.O_RDONLY):
    descriptor = os.open(path, flags, 0o600)
    yield descriptor
    os.close(descriptor)


def write(path, packed, base=FINGERPRINT):
    with opened(path, os.O_WRONLY | os.O_CREAT) as descriptor:
        write_packed(descriptor, packed, base)


def read(path, cid="a", base=FINGERPRINT, trusted=None):
    with opened(path) as descriptor:
        return read_packed(descriptor, cid, base, trusted)[0]


def same(one, other):
    for field in fields(PackedAdapter):
        first, second = getattr(one, field.name), getattr(other, field.name)
        if isinstance(first, torch.Tensor):
            assert first.dtype == second.dtype and torch.equal(first, second), field.name
        else:
            assert first == second and type(first) is type(second), field.name


@pytest.mark.parametrize(
    "options", [{"rank": 8}, {"rank": 1, "modules": ("down_proj",)}, {"rank": 33, "modules": ("q_proj",)}]
)
def test_what_was_written_comes_back_bit_for_bit(tmp_path, options):
    """SPEC 4.101"""
    packed = load_adapter("a", seed=3, **options)
    write(tmp_path / "f", packed)
    found = read(tmp_path / "f")
    same(packed, found)
    assert found.blob.data_ptr() % 64 == 0
    assert (tmp_path / "f").stat().st_size == HEADER_BYTES + payload_bytes(packed)


@pytest.mark.parametrize("rank", [1, 8, 33])
def test_a_copy_in_its_own_memory_is_the_same_adapter(rank):
    """SPEC 4.101, 4.106"""
    packed = load_adapter("a", seed=3, rank=rank)
    copy = in_own_memory(packed)
    same(packed, copy)
    assert copy.blob.data_ptr() % 4096 == 0 and copy.blob.data_ptr() != packed.blob.data_ptr()
    packed.blob.zero_()
    assert copy.blob.any()


def test_every_field_of_a_packed_adapter_is_in_the_file():
    """SPEC 4.101: a field of another kind than these would be lost without a word."""
    packed = load_adapter("a", seed=3)
    for field in fields(PackedAdapter):
        value = getattr(packed, field.name)
        assert (
            field.name in ("cid", "layout", "invocation") or value is None or isinstance(value, torch.Tensor)
        ), field.name
    for field in fields(Layout):
        assert isinstance(getattr(packed.layout, field.name), str | int | bool | tuple), field.name


def test_other_bytes_for_the_same_adapter_need_another_packer_version(tmp_path):
    """SPEC 4.101: when this fails, packing has changed: raise PACKER_VERSION and enter the new digest."""

    def ramp(rows, columns):
        return torch.arange(rows * columns, dtype=torch.float32).view(rows, columns)

    pairs = {
        (layer, module): LoraPair(ramp(3, shape().dims(module)[0]), ramp(shape().dims(module)[1], 3), 0.5)
        for layer, module in [(0, "q_proj"), (0, "v_proj"), (2, "down_proj")]
    }
    write(tmp_path / "f", pack("a", CheckedAdapter(pairs), shape()))
    payload = (tmp_path / "f").read_bytes()[HEADER_BYTES:]
    assert hashlib.sha256(payload).hexdigest() == GOLDEN[PACKER_VERSION]


@pytest.mark.parametrize("place", ["first", "layout", "digest", "payload", "last"])
def test_any_changed_byte_is_noticed(tmp_path, place):
    """SPEC 4.102"""
    path = tmp_path / "f"
    write(path, load_adapter("a", seed=3))
    data = bytearray(path.read_bytes())
    at = {
        "first": 0,
        "layout": data.index(b'"rank":8') + 7,
        "digest": HEADER_BYTES - 1,
        "payload": HEADER_BYTES + 4321,
        "last": len(data) - 1,
    }[place]
    data[at] ^= 1
    path.write_bytes(data)
    with pytest.raises(PackedFileBad):
        read(path)


@pytest.mark.parametrize("size", [0, 100, HEADER_BYTES - 1, HEADER_BYTES, HEADER_BYTES + 64, -64, -1, 1])
def test_any_other_length_is_noticed(tmp_path, size):
    """SPEC 4.102"""
    path = tmp_path / "f"
    write(path, load_adapter("a", seed=3))
    data = path.read_bytes()
    path.write_bytes(data[:size] if size != 1 else data + b"\0")
    with pytest.raises(PackedFileBad):
        read(path)


def test_a_file_under_another_name_is_refused_and_one_of_another_base_is_stale(tmp_path):
    """SPEC 4.102"""
    write(tmp_path / "f", load_adapter("a", seed=3))
    with pytest.raises(PackedFileBad) as foreign:
        read(tmp_path / "f", cid="b")
    assert not isinstance(foreign.value, PackedFileStale)
    with pytest.raises(PackedFileStale):
        read(tmp_path / "f", base="0x00")


def test_a_trusted_mark_spares_the_hash_of_the_payload_and_of_nothing_else(tmp_path):
    """SPEC 4.102"""
    path = tmp_path / "f"
    write(path, load_adapter("a", seed=3))
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with opened(path) as descriptor:
        mark = mark_of(descriptor)
    read(path, trusted=mark)
    with pytest.raises(PackedFileBad):
        read(path, trusted=None)
    data[0] ^= 1
    path.write_bytes(data)
    with opened(path) as descriptor:
        mark = mark_of(descriptor)
    with pytest.raises(PackedFileBad):
        read(path, trusted=mark)


@pytest.mark.parametrize("dora", [False, True])
@pytest.mark.parametrize("pool", ["float32", "int8"])
def test_every_form_of_a_packed_adapter_comes_back(tmp_path, pool, dora):
    """SPEC 4.101"""
    layout = Layout(8, (0, 3), dora)
    blob = torch.arange(-64, 64).to(getattr(torch, pool))
    beside = (torch.rand(3, 7), torch.rand(11)) if pool == "int8" else (None, None)
    invocation = (0, 5, 2**32 - 1) if pool == "int8" else tuple(range(64))
    packed = PackedAdapter("a", layout, blob, beside[0], beside[1] if dora else None, invocation)
    write(tmp_path / "f", packed)
    same(packed, read(tmp_path / "f"))
    same(packed, in_own_memory(packed))
