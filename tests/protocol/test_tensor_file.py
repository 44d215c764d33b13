"""What we accept, the safetensors library accepts; what it should have refused, we refuse."""

import json
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import SafetensorError
from safetensors.numpy import load, save

from protocol.errors import TensorFileError, TensorFileOverCap
from protocol.tensor_file import read_tensor_file

VALID = save(
    {
        "a": np.arange(6, dtype=np.float32).reshape(2, 3),
        "b": np.ones(4, dtype=np.float16),
        "c": np.ones((8, 5), dtype=np.float32),
    },
    metadata={"format": "pt"},
)


def read(data):
    return read_tensor_file(data, max_header_bytes=10_000, max_tensors=8)


def file_of(header, body=b""):
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(raw)) + raw + body


def entry(shape, start, end, dtype="F32"):
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}


def test_what_the_library_writes_is_read_back_exactly():
    """SPEC 3.2 and 4.4"""
    entries = read(VALID)
    tensors = load(VALID)
    assert {one.name: one.shape for one in entries} == {name: t.shape for name, t in tensors.items()}
    body = VALID[-entries[-1].end :]
    assert all(body[one.start : one.end] == tensors[one.name].tobytes() for one in entries)


DEFECTS = {
    "empty": b"",
    "seven bytes": bytes(7),
    "header past the end": struct.pack("<Q", 100) + b"{}",
    "cut": VALID[:-1],
    "leading space": file_of(b' {"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}', bytes(4)),
    "no JSON": file_of(b"\x80\x04pickle"),
    "no UTF-8": file_of(b'{"\xff\xfe":1}'),
    "array": file_of([1]),
    "nested without end": file_of(b"[" * 5000),
    "objects without end": file_of(b'{"a":' * 1000),
    "NaN": file_of(b'{"a":NaN}'),
    "wrap to zero": file_of({"a": entry([2**32, 2**32], 0, 0)}),
    "five dimensions": file_of({"a": entry([1, 1, 1, 1, 1], 0, 4)}, bytes(4)),
    "negative size": file_of({"a": entry([-1], 0, 4)}, bytes(4)),
    "float size": file_of({"a": entry([1.0], 0, 4)}, bytes(4)),
    "true as a size": file_of({"a": entry([True], 0, 4)}, bytes(4)),
    "unknown dtype": file_of({"a": entry([1], 0, 4, "F33")}, bytes(4)),
    "unused dtype": file_of({"a": entry([1], 0, 8, "F64")}, bytes(8)),
    "offsets reversed": file_of({"a": entry([1], 4, 0)}, bytes(4)),
    "offsets disagree": file_of({"a": entry([2], 0, 4)}, bytes(4)),
    "three offsets": file_of({"a": entry([1], 0, 4) | {"data_offsets": [0, 4, 8]}}, bytes(4)),
    "overlap": file_of({"a": entry([1], 0, 4), "b": entry([1], 0, 4)}, bytes(4)),
    "gap": file_of({"a": entry([1], 0, 4), "b": entry([1], 8, 12)}, bytes(12)),
    "hole at the start": file_of({"a": entry([1], 4, 8)}, bytes(8)),
    "trailing byte": file_of({"a": entry([1], 0, 4)}, bytes(5)),
    "short body": file_of({"a": entry([1], 0, 4)}, bytes(3)),
    "duplicate name": file_of(
        b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},'
        b'"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}',
        bytes(4),
    ),
    "metadata of numbers": file_of({"__metadata__": {"a": 1}, "t": entry([1], 0, 4)}, bytes(4)),
    "metadata of nothing": file_of({"__metadata__": None, "t": entry([1], 0, 4)}, bytes(4)),
    "extra key": file_of({"a": entry([1], 0, 4) | {"code": "x"}}, bytes(4)),
    "entry of a number": file_of({"a": 1}),
}


@pytest.mark.parametrize("name", DEFECTS)
def test_a_defect_is_refused(name):
    """SPEC 3.2 and 4.4"""
    with pytest.raises(TensorFileError) as refusal:
        read(DEFECTS[name])
    assert not isinstance(refusal.value, TensorFileOverCap)


def test_a_huge_header_is_refused_before_it_is_read():
    """SPEC 3.2 and 4.6"""
    with pytest.raises(TensorFileOverCap) as refusal:
        read(b"\xff" * 8 + b"{}")
    assert refusal.value.actual == 2**64 - 1


def test_a_pickle_is_refused_by_the_length_it_seems_to_claim():
    """SPEC 3.3"""
    with pytest.raises(TensorFileOverCap):
        read(b"\x80\x04\x95" + bytes(4) + b"\x01" + bytes(40))


def test_too_many_tensors_are_refused():
    """SPEC 4.6"""
    assert len(read_tensor_file(VALID, 10_000, 3)) == 3
    with pytest.raises(TensorFileOverCap) as refusal:
        read_tensor_file(VALID, 10_000, 2)
    assert (refusal.value.actual, refusal.value.cap) == (3, 2)


def library_accepts(data):
    try:
        load(data)
    except (SafetensorError, KeyError, ValueError, TypeError):
        return False
    return True


def accepted(data):
    try:
        read(data)
    except TensorFileError:
        return False
    return True


numbers = st.one_of(st.integers(-2, 20), st.sampled_from([2**31, 2**32, 2**53, 2**63, 2**64]))
entries = st.fixed_dictionaries(
    {
        "dtype": st.sampled_from(["F32", "F16", "F64", "I64", "X", ""]),
        "shape": st.lists(numbers, max_size=3),
        "data_offsets": st.lists(numbers, min_size=1, max_size=3),
    }
)
headers = st.dictionaries(
    st.sampled_from(["a", "b", "__metadata__", "é"]), st.one_of(entries, st.text(max_size=3))
)


@given(header=headers, body=st.binary(max_size=24))
@settings(max_examples=300, deadline=None)
def test_no_made_up_header_passes_us_and_fails_the_library(header, body):
    """SPEC 3.2"""
    data = file_of(header, body)
    assert library_accepts(data) or not accepted(data)


@given(shapes=st.lists(st.lists(st.integers(0, 3), max_size=4), max_size=4), half=st.booleans())
@settings(max_examples=150, deadline=None)
def test_every_well_formed_file_passes_both(shapes, half):
    """SPEC 3.2"""
    header, position, width = {}, 0, 2 if half else 4
    for number, shape in enumerate(shapes):
        size = width
        for dimension in shape:
            size *= dimension
        header[f"t{number}"] = entry(shape, position, position + size, "F16" if half else "F32")
        position += size
    data = file_of(header, bytes(position))
    assert accepted(data) and library_accepts(data)


changes = st.lists(st.tuples(st.integers(0, len(VALID) - 1), st.integers(0, 255)), min_size=1, max_size=4)


@given(changes=changes, cut=st.integers(0, 4))
@settings(max_examples=400, deadline=None)
def test_whatever_passes_after_a_change_the_library_reads_with_the_same_shapes(changes, cut):
    """SPEC 3.2 and 4.4"""
    data = bytearray(VALID)
    for position, value in changes:
        data[position] = value
    changed = bytes(data[: len(data) - cut])
    try:
        found = read(changed)
    except TensorFileError:
        return
    assert {one.name: one.shape for one in found} == {name: t.shape for name, t in load(changed).items()}
