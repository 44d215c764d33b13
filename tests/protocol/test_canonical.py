import json

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from protocol.canonical import MAX_SAFE_INTEGER, canonical_json, parse_json
from protocol.errors import JsonError
from tests.protocol.records import json_values


def test_rfc_8785_key_order():
    """SPEC 0.6: RFC 8785 §3.2.3 sorts by UTF-16 code units."""
    value = {
        "\u20ac": "Euro Sign",
        "\r": "Carriage Return",
        "\ufb33": "Hebrew Letter Dalet With Dagesh",
        "1": "One",
        "\U0001f600": "Emoji: Grinning Face",
        "\u0080": "Control",
        "\u00f6": "Latin Small Letter O With Diaeresis",
    }
    keys = list(json.loads(canonical_json(value)))
    assert keys == ["\r", "1", "\u0080", "\u00f6", "\u20ac", "\U0001f600", "\ufb33"]


def test_rfc_8785_strings_and_literals():
    """SPEC 0.6: the strings and literals of RFC 8785 §3.2.2."""
    value = {"string": '\u20ac$\u000f\u000aA\'B"\\\\"/', "literals": [None, True, False]}
    expected = '{"literals":[null,true,false],"string":"\u20ac$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
    assert canonical_json(value) == expected.encode()
    assert canonical_json("\b\t\n\f\r\x1f\x7f") == b'"\\b\\t\\n\\f\\r\\u001f\x7f"'


@given(json_values())
def test_canonical_bytes_read_back_and_are_stable(value):
    """SPEC 0.6"""
    data = canonical_json(value)
    assert parse_json(data) == value
    assert canonical_json(parse_json(data)) == data


@given(
    st.dictionaries(
        st.text(st.characters(blacklist_categories=("Cs",)), max_size=4), st.integers(0, 9), max_size=6
    )
)
def test_insertion_order_does_not_matter(value):
    """SPEC 0.6"""
    assert canonical_json(dict(reversed(list(value.items())))) == canonical_json(value)


@pytest.mark.parametrize(
    "value", [1.5, 1.0, 2**53, -(2**53), "\ud800", {1: 2}, {"\udfff": 1}, b"x", {1, 2}, object()]
)
def test_what_has_no_canonical_form_is_refused(value):
    """SPEC 0.6"""
    with pytest.raises(JsonError):
        canonical_json([value])


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b" ",
        b"{",
        b"[1,]",
        b'{"a":1,"a":2}',
        b'[{"b":{"a":1,"a":1}}]',
        b"NaN",
        b"[Infinity]",
        b"-Infinity",
        b"9007199254740992",
        b"-9007199254740992",
        b"1e999",
        b"-1e999",
        b"9" * 5000,
        b"0." + b"1" * 100,
        b"\xef\xbb\xbf1",
        b'"\\ud800"',
        b'{"\\udc00":1}',
        b'"\xff"',
        b"'a'",
        b"{a:1}",
        b"1 2",
        b"01",
        b'"\n"',
        b"[1]x",
        b"nul",
        b'"\\x"',
        b"/**/1",
        b"\x00",
        "\u00a01".encode(),
        b"+1",
        b".5",
        b"5.",
        b"0x1",
    ],
)
def test_ambiguous_or_malformed_json_is_refused(data):
    """SPEC 0.7"""
    with pytest.raises(JsonError):
        parse_json(data)


@pytest.mark.parametrize(
    "data", [b"1.5", b"-0", b"1e3", b"9007199254740991", b' {"a" : [ ] } ', b'"\\ud83d\\ude00"']
)
def test_plain_json_is_read(data):
    """SPEC 0.7"""
    assert parse_json(data) == json.loads(data)


@pytest.mark.parametrize("opening", [b"[", b'{"a":', b'[{"]":', b'["\\"",'])
def test_depth_bombs_are_refused_without_recursion(opening):
    """SPEC 0.7"""
    with pytest.raises(JsonError):
        parse_json(opening * 100_000, max_bytes=1 << 24)


@given(st.integers(1, 30))
def test_depth_is_counted_exactly(depth):
    """SPEC 0.7"""
    data = b"[" * depth + b"]" * depth
    assert parse_json(data, max_depth=depth) is not None
    with pytest.raises(JsonError):
        parse_json(data, max_depth=depth - 1)


def test_brackets_in_strings_are_no_depth():
    """SPEC 0.7"""
    assert parse_json(json.dumps('[[[{"\\' * 50).encode(), max_depth=0) == '[[[{"\\' * 50


@pytest.mark.parametrize("data", [b'"' + b'\\"' * 400_000, b'"\\' * 400_000, b'"' * 800_001])
def test_hostile_strings_are_scanned_in_linear_time(data):
    """SPEC 0.7: a quadratic scan of these would not end while the test runs."""
    with pytest.raises(JsonError):
        parse_json(data, max_bytes=1 << 20)


def test_too_many_bytes_are_refused_unread():
    """SPEC 0.7"""
    with pytest.raises(JsonError, match="at most 3"):
        parse_json(b"[1]]", max_bytes=3)


@settings(max_examples=300)
@given(st.binary(max_size=60) | st.text('[]{}",:0123456789eE+-.\\utrfalsn \n', max_size=60).map(str.encode))
@example(b'"\\u')
@example(b"\xed\xa0\x80")
def test_no_input_raises_anything_else(data):
    """SPEC 0.7: every input is a value or a JsonError, and a value agrees with the standard parser."""
    try:
        value = parse_json(data)
    except JsonError:
        return
    assert value == json.loads(data)


@given(st.integers())
def test_integers_stop_at_two_to_the_53(value):
    """SPEC 0.7"""
    data = str(value).encode()
    if abs(value) <= MAX_SAFE_INTEGER:
        assert parse_json(data) == value
    else:
        with pytest.raises(JsonError):
            parse_json(data)
