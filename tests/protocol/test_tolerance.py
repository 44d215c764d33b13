"""The rules of what counts as the same computation, at their borders."""

from hypothesis import given
from hypothesis import strategies as st

from protocol.tolerance import (
    MICRONATS_PER_TOKEN,
    Tier,
    code_distance,
    likelihood_tier,
    signs_tier,
)

CODES = st.binary(min_size=1, max_size=300)


def tier(stated: bytes, found: bytes, weights: tuple[int, ...] = (65_536,)) -> Tier:
    distance = code_distance(stated, found, (65_536,), weights)
    return Tier.REFUSED if distance is None else distance.tier


@given(CODES)
def test_a_code_is_identical_to_itself_and_to_nothing_longer(code: bytes) -> None:
    """SPEC 5.168"""
    assert tier(code, code) is Tier.IDENTICAL
    assert tier(code, code + b"\0") is Tier.REFUSED
    assert tier(b"", b"") is Tier.REFUSED


def test_one_number_in_a_thousand_may_be_off_by_one() -> None:
    """SPEC 5.168"""
    zeros = bytes(3072)
    assert tier(zeros, b"\1" * 3 + zeros[3:]) is Tier.OTHER_HARDWARE
    assert tier(zeros, b"\xff" * 3 + zeros[3:]) is Tier.OTHER_HARDWARE
    assert tier(zeros, b"\1" * 4 + zeros[4:]) is Tier.REFUSED
    assert tier(zeros, b"\2" + zeros[1:]) is Tier.REFUSED
    assert tier(zeros, b"\xfe" + zeros[1:]) is Tier.REFUSED


def test_weights_may_move_in_their_last_places() -> None:
    """SPEC 5.168"""
    code = bytes(range(200))
    assert tier(code, code, (65_528,)) is Tier.OTHER_HARDWARE
    assert tier(code, code, (65_527,)) is Tier.REFUSED
    assert tier(code, code, (65_536, 1)) is Tier.REFUSED


@given(st.integers(-(10**9), 0), st.integers(1, 2000))
def test_a_likelihood_may_move_by_so_much_a_token(stated: int, tokens: int) -> None:
    """SPEC 5.168"""
    border = MICRONATS_PER_TOKEN * tokens
    assert likelihood_tier(stated, stated, tokens) is Tier.IDENTICAL
    assert likelihood_tier(stated, stated - border, tokens) is Tier.OTHER_HARDWARE
    assert likelihood_tier(stated, stated + border + 1, tokens) is Tier.REFUSED


@given(st.binary(min_size=128, max_size=128), st.sets(st.integers(0, 1023), max_size=120))
def test_one_sign_in_twenty_may_flip(signs: bytes, flipped: set[int]) -> None:
    """SPEC 5.169"""
    mask = sum(1 << bit for bit in flipped)
    found = (int.from_bytes(signs, "big") ^ mask).to_bytes(128, "big")
    expected = Tier.IDENTICAL if not flipped else Tier.OTHER_HARDWARE if len(flipped) <= 51 else Tier.REFUSED
    assert signs_tier(signs, found) is expected
    assert signs_tier(signs, signs[1:]) is Tier.REFUSED
