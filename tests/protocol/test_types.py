import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.errors import EncodingError
from protocol.types import parse_address, split_version_key, version_key


@given(st.binary(min_size=20, max_size=20))
def test_addresses_have_one_spelling(data):
    """SPEC 0.4"""
    lower = "0x" + data.hex()
    assert parse_address(lower) == parse_address("0x" + data.hex().upper()) == lower


@pytest.mark.parametrize(
    "text", ["", "0x", "0x" + "0" * 39, "0x" + "0" * 41, "0x" + "g" * 40, "0x" + "0" * 39 + "\n"]
)
def test_what_is_no_address_is_refused(text):
    """SPEC 0.4"""
    with pytest.raises(EncodingError):
        parse_address(text)


@given(st.integers(0, 2**192 - 1), st.integers(0, 2**64 - 1))
def test_a_version_key_gives_both_back(datanet, version):
    """SPEC 0.5"""
    assert version_key(datanet, version) == datanet * 2**64 + version
    assert split_version_key(version_key(datanet, version)) == (datanet, version)


@pytest.mark.parametrize(("datanet", "version"), [(-1, 0), (0, -1), (0, 2**64), (2**192, 0)])
def test_version_keys_refuse_what_would_overlap(datanet, version):
    """SPEC 0.5"""
    with pytest.raises(EncodingError):
        version_key(datanet, version)
