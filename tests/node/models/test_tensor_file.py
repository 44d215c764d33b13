"""What we accept, the safetensors library accepts; what it should have refused, we refuse."""

import json
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import SafetensorError
from safetensors.numpy import load

from node.models.tensor_file import read_tensor_file
from node.training.bundle import BadBundle
from tests.node.bundles_made import weights

WEIGHTS = weights()


def file_of(header: object, body: bytes = b"", raw: bytes | None = None) -> bytes:
    data = raw if raw is not None else json.dumps(header).encode()
    return struct.pack("<Q", len(data)) + data + body


def entry(shape: list[int], start: int, end: int, dtype: str = "F32") -> dict[str, object]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}


def test_what_the_library_writes_is_read_back_exactly() -> None:
    """SPEC 3.2"""
    entries = {one.name: one for one in read_tensor_file(WEIGHTS)}
    tensors = load(WEIGHTS)
    assert {name: one.shape for name, one in entries.items()} == {
        name: t.shape for name, t in tensors.items()
    }
    body = WEIGHTS[-max(one.end for one in entries.values()) :]
    assert all(body[one.start : one.end] == tensors[name].tobytes() for name, one in entries.items())


DEFECTS = {
    "empty": b"",
    "seven bytes": bytes(7),
    "header of 2^64-1": b"\xff" * 8 + b"{}",
    "header past the end": struct.pack("<Q", 100) + b"{}",
    "leading space": file_of(
        None, raw=b' {"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}', body=bytes(4)
    ),
    "no JSON": file_of(None, raw=b"\x80\x04pickle"),
    "array": file_of([1]),
    "NaN": file_of(None, raw=b'{"a":NaN}'),
    "wrap to zero": file_of({"a": entry([2**32, 2**32], 0, 0)}),
    "negative size": file_of({"a": entry([-1], 0, 4)}, bytes(4)),
    "float size": file_of(
        None, raw=b'{"a":{"dtype":"F32","shape":[1.0],"data_offsets":[0,4]}}', body=bytes(4)
    ),
    "true as a size": file_of(
        None, raw=b'{"a":{"dtype":"F32","shape":[true],"data_offsets":[0,4]}}', body=bytes(4)
    ),
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
        None,
        raw=b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}',
        body=bytes(4),
    ),
    "metadata of numbers": file_of({"__metadata__": {"a": 1}, "t": entry([1], 0, 4)}, bytes(4)),
    "extra key": file_of({"a": entry([1], 0, 4) | {"code": "x"}}, bytes(4)),
    "pickle": b"\x80\x04\x95" + bytes(40),
}


@pytest.mark.parametrize("name", DEFECTS)
def test_a_defect_is_refused(name: str) -> None:
    """SPEC 3.2"""
    with pytest.raises(BadBundle):
        read_tensor_file(DEFECTS[name])


def library_accepts(data: bytes) -> bool:
    try:
        load(data)
    except (SafetensorError, KeyError, ValueError, TypeError):
        return False
    return True


def accepted(data: bytes) -> bool:
    try:
        read_tensor_file(data)
    except BadBundle:
        return False
    return True


def implied(data: bytes) -> None:
    if accepted(data):
        assert library_accepts(data)


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
def test_no_made_up_header_passes_us_and_fails_the_library(header: dict[str, object], body: bytes) -> None:
    """SPEC 3.2"""
    implied(file_of(header, body))


@given(shapes=st.lists(st.lists(st.integers(0, 3), max_size=4), max_size=4), half=st.booleans())
@settings(max_examples=150, deadline=None)
def test_every_well_formed_file_passes_both(shapes: list[list[int]], half: bool) -> None:
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


@given(position=st.integers(0, len(WEIGHTS) - 1), byte=st.integers(0, 255), cut=st.integers(0, 4))
@settings(max_examples=300, deadline=None)
def test_no_changed_byte_or_length_passes_us_and_fails_the_library(
    position: int, byte: int, cut: int
) -> None:
    """SPEC 3.2"""
    changed = bytearray(WEIGHTS)
    changed[position % 700] = byte
    implied(bytes(changed))
    implied(bytes(changed[: len(changed) - cut]))
