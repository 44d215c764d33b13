"""Reading the tensors of a checked file: equal to the library's reading, for any types and header."""

import struct

import pytest
import torch
from safetensors.torch import load, save

from inference_worker.adapters.tensors import numbers_of, tensors_of
from protocol.tensor_file import LENGTH_BYTES, read_tensor_file

DTYPES = (torch.float32, torch.float16, torch.bfloat16)


def read(weights):
    entries = read_tensor_file(weights, 1 << 20, 64)
    return tensors_of(numbers_of(weights, entries), entries)


def saved(dtypes, seed=0):
    generator = torch.Generator().manual_seed(seed)
    # Odd counts of two-byte numbers leave what follows at an odd place.
    shapes = ((3, 5), (7,), (2, 3, 4), (1, 9))
    return save(
        {f"t{i}": torch.randn(shapes[i % 4], generator=generator).to(dtype) for i, dtype in enumerate(dtypes)}
    )


def with_longer_header(weights, spaces):
    length = struct.unpack("<Q", weights[:LENGTH_BYTES])[0]
    header = weights[LENGTH_BYTES : LENGTH_BYTES + length] + b" " * spaces
    return struct.pack("<Q", len(header)) + header + weights[LENGTH_BYTES + length :]


@pytest.mark.parametrize("spaces", [0, 1, 2, 3, 5])
@pytest.mark.parametrize(
    "dtypes",
    [*((d,) * 6 for d in DTYPES), DTYPES * 3, (torch.float16, torch.float32) * 3],
    ids=lambda dtypes: "-".join(str(d).removeprefix("torch.") for d in dtypes[:3]),
)
def test_tensors_are_those_of_the_library(dtypes, spaces):
    """SPEC 4.220"""
    weights = saved(dtypes)
    found, expected = read(with_longer_header(weights, spaces)), load(weights)
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        assert found[name].dtype == torch.float32
        assert torch.equal(found[name], tensor.to(torch.float32)), name


def test_what_is_read_is_a_copy():
    """SPEC 4.220"""
    weights = saved(DTYPES)
    before = bytes(bytearray(weights))
    for tensor in read(weights).values():
        tensor.fill_(1.0)
    assert weights == before
