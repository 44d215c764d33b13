"""Strict reading of one JSON object: each field is asked for by name and range, nothing may be left over."""

import re
from collections.abc import Callable, Sequence
from typing import TypeVar

from protocol.errors import EncodingError, FieldError
from protocol.hashing import from_hex
from protocol.types import Address, parse_address

T = TypeVar("T")

_DECIMAL = re.compile(r"0|[1-9][0-9]{0,77}")


class Fields:
    """A cursor over `value`; errors name the field by its path from `where`."""

    def __init__(self, value: object, where: str, error: type[FieldError] = FieldError) -> None:
        self._where = where
        self._error = error
        if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
            raise error(where, f"must be an object, not {type(value).__name__}")
        self._left = dict(value)

    def done(self) -> None:
        """Refuse what nobody asked for."""
        for name in self._left:
            raise self._error(self._path(name), "unknown field")

    def wrong(self, name: str, reason: str) -> FieldError:
        """The error to raise about `name`."""
        return self._error(self._path(name), reason)

    def absent(self, name: str) -> bool:
        """Whether the field is missing or null; a null is consumed."""
        if self._left.get(name) is None:
            self._left.pop(name, None)
            return True
        return False

    def value(self, name: str) -> object:
        """The raw value."""
        if name not in self._left:
            raise self.wrong(name, "missing")
        return self._left.pop(name)

    def integer(self, name: str, low: int, high: int) -> int:
        """A whole number in [low, high]; true and 1.0 are not numbers here."""
        return self._whole(name, self.value(name), low, high)

    def number(self, name: str, low: float, high: float) -> float:
        """A number in [low, high]."""
        value = self.value(name)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.wrong(name, f"must be a number, not {type(value).__name__}")
        if not low <= value <= high:
            raise self.wrong(name, f"{value} is outside [{low}, {high}]")
        return float(value)

    def boolean(self, name: str) -> bool:
        """true or false."""
        value = self.value(name)
        if not isinstance(value, bool):
            raise self.wrong(name, f"must be a boolean, not {type(value).__name__}")
        return value

    def text(self, name: str, max_chars: int, pattern: str | None = None) -> str:
        """A string of at most `max_chars`, matching `pattern` as a whole where given."""
        return self._string(name, self.value(name), max_chars, pattern)

    def texts(self, name: str, max_items: int, max_chars: int, pattern: str | None = None) -> tuple[str, ...]:
        """A list of strings."""
        return self.each(name, max_items, lambda path, item: self._string(path, item, max_chars, pattern))

    def text_map(self, name: str, max_items: int, max_chars: int) -> dict[str, str]:
        """An object whose values are all strings."""
        child = self.child(name)
        if len(child._left) > max_items:
            raise self.wrong(name, f"has {len(child._left)} keys, at most {max_items} accepted")
        return {key: child.text(key, max_chars) for key in tuple(child._left)}

    def choice(self, name: str, allowed: Sequence[str]) -> str:
        """One of `allowed`."""
        value = self.value(name)
        if not isinstance(value, str) or value not in allowed:
            raise self.wrong(name, f"must be one of {', '.join(allowed)}")
        return value

    def hexadecimal(self, name: str, size: int) -> bytes:
        """`size` bytes from 0x and lower-case hex."""
        value = self.value(name)
        try:
            return from_hex(value if isinstance(value, str) else "", size)
        except EncodingError as error:
            raise self.wrong(name, str(error)) from error

    def address(self, name: str) -> Address:
        """A lower-case address."""
        value = self.value(name)
        try:
            if isinstance(value, str) and parse_address(value) == value:
                return Address(value)
        except EncodingError:
            pass
        raise self.wrong(name, "must be a lower-case address")

    def decimal(self, name: str, high: int) -> int:
        """A whole number in [0, high] spelled as a decimal string, for what may pass 2^53-1."""
        value = self.value(name)
        if not isinstance(value, str) or _DECIMAL.fullmatch(value) is None or int(value) > high:
            raise self.wrong(name, f"must be a decimal string of at most {high}")
        return int(value)

    def integers(self, name: str, max_items: int, low: int, high: int) -> tuple[int, ...]:
        """A list of whole numbers."""
        return self.each(name, max_items, lambda path, item: self._whole(path, item, low, high))

    def objects(self, name: str, max_items: int) -> tuple["Fields", ...]:
        """A list of objects."""
        return self.each(name, max_items, lambda path, item: Fields(item, self._path(path), self._error))

    def child(self, name: str) -> "Fields":
        """One nested object."""
        return Fields(self.value(name), self._path(name), self._error)

    def each(self, name: str, max_items: int, read: Callable[[str, object], T]) -> tuple[T, ...]:
        """A list of at most `max_items`, each read by `read(name[i], item)`."""
        value = self.value(name)
        if not isinstance(value, list):
            raise self.wrong(name, f"must be a list, not {type(value).__name__}")
        if len(value) > max_items:
            raise self.wrong(name, f"has {len(value)} items, at most {max_items} accepted")
        return tuple(read(f"{name}[{place}]", item) for place, item in enumerate(value))

    def _whole(self, name: str, value: object, low: int, high: int) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise self.wrong(name, f"must be a whole number, not {type(value).__name__}")
        if not low <= value <= high:
            raise self.wrong(name, f"{value} is outside [{low}, {high}]")
        return value

    def _string(self, name: str, value: object, max_chars: int, pattern: str | None) -> str:
        if not isinstance(value, str):
            raise self.wrong(name, f"must be a string, not {type(value).__name__}")
        if len(value) > max_chars:
            raise self.wrong(name, f"has {len(value)} characters, at most {max_chars} accepted")
        if pattern is not None and re.fullmatch(pattern, value) is None:
            raise self.wrong(name, f"{value[:80]!r} does not match {pattern}")
        return value

    def _path(self, name: str) -> str:
        return f"{self._where}.{name}" if self._where else name
