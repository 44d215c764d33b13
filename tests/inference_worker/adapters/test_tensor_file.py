"""The header check against the native library: nothing passes ours that the library would refuse."""

import json
import struct

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load, save

from inference_worker.adapters.refusals import AdapterRefused, OverCap, TensorFileMalformed
from inference_worker.adapters.tensor_file import read_header

VALID = save({"a": torch.arange(6.0).reshape(2, 3), "b": torch.ones(4, dtype=torch.float16)})


def header(data):
    return read_header(data, max_header=10_000, max_tensors=8)


def build(entries, body):
    raw = json.dumps(entries).encode() if isinstance(entries, dict) else entries
    return struct.pack("<Q", len(raw)) + raw + body


def entry(dtype="F32", shape=(2,), offsets=(0, 8)):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}


def test_valid_file_is_read_in_file_order():
    """SPEC 4.4"""
    ranges, body = header(VALID)
    assert {r.name: r.shape for r in ranges} == {"a": (2, 3), "b": (4,)}
    assert body + ranges[-1].end == len(VALID)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        VALID[:7],
        VALID[:40],
        VALID[:-1],
        VALID + b"\0",
        build({"a": entry(shape=(2**32, 2**32), offsets=(0, 0))}, b""),
        build({"a": entry(dtype="I64")}, b"\0" * 8),
        build({"a": entry(dtype="F999")}, b"\0" * 8),
        build({"a": entry(offsets=(0, 4))}, b"\0" * 4),
        build({"a": entry(), "b": entry()}, b"\0" * 8),
        build({"a": entry(), "b": entry(offsets=(12, 20))}, b"\0" * 20),
        build({"a": entry(shape=(-2,))}, b"\0" * 8),
        build({"a": entry(shape=(2.0,))}, b"\0" * 8),
        build({"a": entry(shape=(True, 2))}, b"\0" * 8),
        build({"a": {**entry(), "extra": 1}}, b"\0" * 8),
        build({"__metadata__": {"k": 1}, "a": entry()}, b"\0" * 8),
        build(b'{"a":1,"a":2}', b""),
        build(b"[" * 5000, b""),
        build(b"[]", b""),
        build(b"\xff\xfe", b""),
        b"\x80\x04\x95" + b"\0" * 64,
    ],
)
def test_malformed_files_are_refused(data):
    """SPEC 4.4"""
    with pytest.raises((TensorFileMalformed, OverCap)):
        header(data)


def test_huge_header_length_is_refused_before_reading():
    """SPEC 4.6"""
    with pytest.raises(OverCap) as refusal:
        header(struct.pack("<Q", 2**64 - 1) + b"{}")
    assert refusal.value.actual == 2**64 - 1


def test_too_many_tensors_are_refused():
    """SPEC 4.6"""
    with pytest.raises(OverCap):
        read_header(VALID, max_header=10_000, max_tensors=1)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.integers(0, len(VALID) - 1), st.integers(0, 255)), min_size=1, max_size=4))
def test_what_we_accept_the_library_accepts(changes):
    """SPEC 4.4"""
    data = bytearray(VALID)
    for position, value in changes:
        data[position] = value
    try:
        ranges, _ = header(bytes(data))
    except AdapterRefused:
        return
    tensors = load(bytes(data))
    assert {r.name: r.shape for r in ranges} == {name: tuple(t.shape) for name, t in tensors.items()}
