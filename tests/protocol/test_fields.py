from contextlib import suppress

import pytest
from hypothesis import given

from protocol.errors import FieldError, WireError
from protocol.fields import Fields
from tests.protocol.records import json_values


def test_every_reader_reads_its_kind():
    """SPEC 0.19"""
    fields = Fields(
        {
            "i": 5,
            "n": 1,
            "b": True,
            "t": "abc",
            "ts": ["a", "b"],
            "c": "x",
            "h": "0x00ff",
            "a": "0x" + "0" * 40,
            "d": "340282366920938463463374607431768211455",
            "is": [1, 2],
            "os": [{"k": 1}],
            "o": {"k": 2},
            "m": {"a": "b"},
            "null": None,
        },
        "r",
    )
    assert (fields.integer("i", 0, 5), fields.number("n", 0, 1), fields.boolean("b")) == (5, 1.0, True)
    assert (fields.text("t", 3, "[a-c]+"), fields.texts("ts", 2, 1), fields.choice("c", ("x", "y"))) == (
        "abc",
        ("a", "b"),
        "x",
    )
    assert (fields.hexadecimal("h", 2), fields.address("a")) == (b"\x00\xff", "0x" + "0" * 40)
    assert (fields.decimal("d", 2**128 - 1), fields.integers("is", 2, 1, 2)) == (2**128 - 1, (1, 2))
    assert [child.integer("k", 0, 9) for child in fields.objects("os", 1)] == [1]
    assert (fields.child("o").integer("k", 0, 9), fields.text_map("m", 1, 1)) == (2, {"a": "b"})
    assert fields.absent("null") and fields.absent("never")
    fields.done()


@pytest.mark.parametrize(
    ("value", "read", "path"),
    [
        ([], lambda f: None, "r"),
        ({1: 2}, lambda f: None, "r"),
        ({}, lambda f: f.integer("i", 0, 1), "r.i"),
        ({"i": True}, lambda f: f.integer("i", 0, 1), "r.i"),
        ({"i": 1.0}, lambda f: f.integer("i", 0, 1), "r.i"),
        ({"i": 2}, lambda f: f.integer("i", 0, 1), "r.i"),
        ({"n": False}, lambda f: f.number("n", 0, 1), "r.n"),
        ({"n": float("nan")}, lambda f: f.number("n", 0, 1), "r.n"),
        ({"n": "1"}, lambda f: f.number("n", 0, 1), "r.n"),
        ({"b": 1}, lambda f: f.boolean("b"), "r.b"),
        ({"t": "abcd"}, lambda f: f.text("t", 3), "r.t"),
        ({"t": "x\n"}, lambda f: f.text("t", 3, "x"), "r.t"),
        ({"t": 1}, lambda f: f.text("t", 3), "r.t"),
        ({"ts": ["a", 1]}, lambda f: f.texts("ts", 2, 1), "r.ts[1]"),
        ({"ts": ["a"] * 3}, lambda f: f.texts("ts", 2, 1), "r.ts"),
        ({"ts": "ab"}, lambda f: f.texts("ts", 2, 1), "r.ts"),
        ({"c": ["x"]}, lambda f: f.choice("c", ("x",)), "r.c"),
        ({"h": "0xFF"}, lambda f: f.hexadecimal("h", 1), "r.h"),
        ({"a": "0x" + "A" * 40}, lambda f: f.address("a"), "r.a"),
        ({"a": 7}, lambda f: f.address("a"), "r.a"),
        ({"d": "1" * 5000}, lambda f: f.decimal("d", 5), "r.d"),
        ({"d": "٣"}, lambda f: f.decimal("d", 5), "r.d"),
        ({"d": "6"}, lambda f: f.decimal("d", 5), "r.d"),
        ({"is": [1, "2"]}, lambda f: f.integers("is", 3, 0, 9), "r.is[1]"),
        ({"os": [{}, 1]}, lambda f: f.objects("os", 3), "r.os[1]"),
        ({"o": {"k": "x"}}, lambda f: f.child("o").integer("k", 0, 1), "r.o.k"),
        ({"m": {"a": 1}}, lambda f: f.text_map("m", 1, 1), "r.m.a"),
        ({"m": {"a": "", "b": ""}}, lambda f: f.text_map("m", 1, 1), "r.m"),
        ({"x": 1}, lambda f: None, "r.x"),
    ],
)
def test_the_error_names_the_field(value, read, path):
    """SPEC 0.19"""

    def read_all():
        fields = Fields(value, "r", WireError)
        read(fields)
        fields.done()

    with pytest.raises(WireError) as caught:
        read_all()
    assert caught.value.field == path


@given(json_values())
def test_no_value_raises_anything_else(value):
    """SPEC 0.19"""
    readers = [
        lambda f: f.integer("a", 0, 9),
        lambda f: f.number("a", 0, 9),
        lambda f: f.text("a", 5),
        lambda f: f.hexadecimal("a", 2),
        lambda f: f.address("a"),
        lambda f: f.decimal("a", 9),
        lambda f: f.objects("a", 3),
        lambda f: f.choice("a", ("b",)),
        lambda f: f.text_map("a", 3, 3),
    ]
    for read in readers:
        with suppress(FieldError):
            read(Fields({"a": value}, ""))


def test_strings_of_any_digits_but_ascii_are_no_numbers():
    """SPEC 0.4"""
    with pytest.raises(FieldError):
        Fields({"d": "1_0"}, "").decimal("d", 99)
