"""A query's code as bytes, and the score that a row has under it."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.errors import EncodingError
from protocol.index_pages import CodeShape, RowCodes
from protocol.query_code import CodeBytes, decode_code, score_of

SHAPES = st.builds(CodeShape, st.integers(1, 3), st.sampled_from([64, 128, 192]), st.sampled_from([0, 2, 48]))


def code_of(shape: CodeShape, seed: int) -> CodeBytes:
    drawn = random.Random(seed)
    return CodeBytes(
        tuple(drawn.randrange(2**32) for _ in range(shape.checkpoints)),
        tuple(drawn.randbytes(shape.width) for _ in range(shape.checkpoints)),
        drawn.randrange(2**32) if shape.losses else 0,
        drawn.randbytes(shape.losses),
    )


def row_of(shape: CodeShape, seed: int, flags: int = 1, row: int = 7) -> RowCodes:
    drawn = random.Random(seed)
    return RowCodes(
        row,
        flags,
        tuple(drawn.randrange(1 << 16) for _ in range(shape.checkpoints)),
        tuple(drawn.randbytes(shape.width // 8) for _ in range(shape.checkpoints)),
        drawn.randrange(1 << 16) if shape.losses else 0,
        drawn.randbytes(shape.losses // 2),
    )


def by_bits(code: CodeBytes, row: RowCodes) -> int:
    """The same from the records' own fields, coordinate by coordinate."""
    total = 0
    for weight, magnitude, values, signs in zip(
        code.weights, row.magnitudes, code.codes, row.signs, strict=True
    ):
        bits = f"{int.from_bytes(signs, 'big'):0{len(values)}b}"
        signed = [int.from_bytes(values[at : at + 1], "big", signed=True) for at in range(len(values))]
        dot = sum(value if bit == "1" else -value for bit, value in zip(bits, signed, strict=True))
        total += weight * magnitude * dot
    halves = row.losses.hex()
    for place, half in enumerate(halves):
        value = int.from_bytes(code.losses[place : place + 1], "big", signed=True)
        total += code.loss_weight * row.loss_magnitude * (int(half, 16) - 8) * value
    return total


@given(SHAPES, st.integers(0, 10**6))
@settings(max_examples=40, deadline=None)
def test_a_score_is_the_sum_over_coordinates(shape: CodeShape, seed: int) -> None:
    """SPEC 5.185"""
    code, row = code_of(shape, seed), row_of(shape, seed + 1)
    assert decode_code(code.encode()) == code
    assert score_of(code, row.record()) == by_bits(code, row)
    assert score_of(code, row.record() + b"\0") is None


@pytest.mark.parametrize("place", [0, 1, 4, 5, 6])
def test_a_head_that_says_otherwise_is_refused(place: int) -> None:
    """SPEC 5.185"""
    data = bytearray(code_of(CodeShape(2, 64, 2), 1).encode())
    data[place] ^= 1 if place else 3
    with pytest.raises(EncodingError):
        decode_code(bytes(data))


@pytest.mark.parametrize("data", [b"", b"\1" * 7, bytes(70), code_of(CodeShape(1, 64), 1).encode()[:-1]])
def test_bytes_that_are_no_code_are_refused(data: bytes) -> None:
    """SPEC 5.185"""
    with pytest.raises(EncodingError):
        decode_code(data)


def test_codes_that_make_no_shape_are_refused() -> None:
    """SPEC 5.185"""
    for code in (
        CodeBytes((1,), (bytes(64), bytes(64))),
        CodeBytes((1, 2), (bytes(64), bytes(128))),
        CodeBytes((1,), (bytes(63),)),
        CodeBytes((1 << 32,), (bytes(64),)),
        CodeBytes((1,), (bytes(64),), -1, bytes(2)),
    ):
        with pytest.raises(EncodingError):
            code.encode()
