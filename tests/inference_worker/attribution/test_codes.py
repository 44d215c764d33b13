from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from inference_worker.attribution.codes import (
    Codes,
    Floats,
    encode_magnitudes,
    encode_query,
    read_query,
    unit_of,
)
from inference_worker.attribution.method import CODE_LIMIT, SCALE_LIMIT, WEIGHT_LIMIT
from inference_worker.attribution.scan import scan_columns
from protocol.index_pages import CodeShape
from tests.inference_worker.attribution.naive_scan import column_of, signed_sums

WIDTH = 64
VECTORS = arrays(np.float64, (5, WIDTH), elements=st.floats(-1e3, 1e3, width=32))


def codes_of(sketches: Floats) -> Codes:
    means = np.abs(sketches).mean(axis=1)
    return Codes(np.packbits(sketches > 0, axis=1), encode_magnitudes(means, unit_of(means)))


@settings(max_examples=60, deadline=None)
@given(rows=VECTORS, query=arrays(np.float64, (WIDTH,), elements=st.floats(-10, 10, width=32)))
def test_the_scan_equals_a_plain_loop(rows: np.ndarray, query: np.ndarray) -> None:
    """SPEC 5.22"""
    codes = codes_of(rows)
    asked = encode_query([query, query[::-1]], [0.5, 2.0])
    scores = scan_columns(asked.codes, asked.weights, [column_of(codes)] * 2, len(rows))
    for place in range(len(rows)):
        signs = [1 if bit else -1 for bit in np.unpackbits(codes.bits[place])[:WIDTH]]
        expected = sum(
            weight * int(codes.magnitude[place]) * sum(s * int(c) for s, c in zip(signs, code, strict=True))
            for weight, code in zip(asked.weights, asked.codes, strict=True)
        )
        assert int(scores[place]) == expected


@settings(max_examples=60, deadline=None)
@given(arrays(np.float64, (3, WIDTH), elements=st.floats(-1e6, 1e6, width=32)))
def test_codes_stay_in_their_ranges_and_digests_follow_them(vectors: np.ndarray) -> None:
    """SPEC 5.22"""
    asked = encode_query(list(vectors), [1.0, 3.0, 0.1])
    assert np.abs(asked.codes.astype(int)).max() <= CODE_LIMIT and max(asked.weights) <= WEIGHT_LIMIT
    assert asked.digest() == encode_query(list(vectors), [1.0, 3.0, 0.1]).digest()
    rows = codes_of(vectors)
    assert rows.magnitude.max() in (0, SCALE_LIMIT)


def test_the_largest_score_fits_64_bits() -> None:
    """SPEC 5.22"""
    code = np.full(1024, CODE_LIMIT, dtype=np.int8)
    most = int(signed_sums(code, np.full((1, 128), 255, dtype=np.uint8))[0])
    assert most == 1024 * CODE_LIMIT and 3 * most * SCALE_LIMIT * WEIGHT_LIMIT < 2**63


@settings(max_examples=60, deadline=None)
@given(
    arrays(np.float64, (3, WIDTH), elements=st.floats(-1e6, 1e6, width=32)),
    arrays(np.int8, st.sampled_from([0, 16, 48])),
    st.integers(1, 2**32 - 1),
)
def test_a_code_read_back_is_the_code_with_its_losses(
    vectors: np.ndarray, losses: np.ndarray, weight: int
) -> None:
    """SPEC 5.22"""
    asked = replace(
        encode_query(list(vectors), [1.0, 3.0, 0.1]), losses=losses, loss_weight=weight if len(losses) else 0
    )
    read = read_query(asked.encode(), CodeShape(3, WIDTH, len(losses)))
    assert np.array_equal(read.codes, asked.codes) and read.weights == asked.weights
    assert np.array_equal(read.losses, losses) and read.loss_weight == asked.loss_weight
    assert read.digest() == asked.digest()
