"""What every command shares: the configuration, read when it is first needed, and how results are printed.

Results go to standard output, as text for people or, with --json, as one JSON document; everything else
goes to standard error. Nothing heavy is imported before a command runs, so that help needs no chain and no
disk.
"""

import io
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from node.config import Config, load_config
from node.errors import InvalidInput, OpenLedgerError

if TYPE_CHECKING:
    from protocol.types import Address

F = TypeVar("F", bound=Callable[..., Any])
WEI = 10**18


class StandardError(io.TextIOBase):
    """Standard error as it is at each write, so that log lines never end up among the results."""

    def write(self, text: str) -> int:
        """Passes on."""
        return sys.stderr.write(text)

    def flush(self) -> None:
        """Passes on."""
        sys.stderr.flush()

    def isatty(self) -> bool:
        """Whether colours make sense."""
        return sys.stderr.isatty()


@dataclass
class Session:
    """One run of the command line."""

    config_path: Path | None = None
    as_json: bool = False
    _config: Config | None = field(default=None, repr=False)

    @property
    def config(self) -> Config:
        """Raises ConfigError."""
        if self._config is None:
            self._config = load_config(self.config_path)
        return self._config

    def show(self, value: Mapping[str, object] | Sequence[Mapping[str, object]]) -> None:
        """Prints one record, or a table of records with the same keys."""
        if self.as_json:
            click.echo(json.dumps(value, indent=2, ensure_ascii=False, default=str))
        elif isinstance(value, Mapping):
            _show_record(value)
        else:
            _show_table(value)

    def fail(self, error: OpenLedgerError) -> None:
        """Prints an error to standard error."""
        if self.as_json:
            body = {"error": {"kind": type(error).__name__, "message": error.message, **_plain(error.facts)}}
            click.echo(json.dumps(body, ensure_ascii=False, default=str), err=True)
        else:
            click.echo(f"error: {error}", err=True)


def _plain(facts: Mapping[str, object]) -> dict[str, object]:
    return {name: value if isinstance(value, int | bool) else str(value) for name, value in facts.items()}


def _show_record(record: Mapping[str, object]) -> None:
    width = max((len(name) for name in record), default=0)
    for name, value in record.items():
        click.echo(f"{name.replace('_', ' '):<{width}}  {_text(value)}")


def _show_table(records: Sequence[Mapping[str, object]]) -> None:
    if not records:
        click.echo("none", err=True)
        return
    names = list(records[0])
    rows = [
        [name.replace("_", " ") for name in names],
        *([_text(one[name]) for name in names] for one in records),
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(names))]
    for row in rows:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _text(value: object) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(_text, value)) or "–"
    if isinstance(value, Mapping):
        return ", ".join(f"{name}={_text(inner)}" for name, inner in value.items())
    return str(value)


def _set_json(context: click.Context, _: click.Parameter, value: bool) -> None:
    if value:
        context.ensure_object(Session).as_json = True


def json_option(command: F) -> F:
    """Adds --json to a command."""
    option = click.option("--json", is_flag=True, expose_value=False, callback=_set_json, help="Print JSON.")
    return option(command)


class Amount(click.ParamType[int]):
    """An amount of OPEN such as 2.5, kept as wei."""

    name = "OPEN"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Exactly; more than 18 decimals are refused and not rounded."""
        if isinstance(value, int):
            return value
        try:
            wei = Decimal(value) * WEI
        except ArithmeticError:
            self.fail(f"{value!r} is not an amount of OPEN", param, ctx)
        if not wei.is_finite() or wei != int(wei) or wei < 0:
            self.fail(f"{value!r} is not an amount of OPEN with at most 18 decimals", param, ctx)
        return int(wei)


class AddressParam(click.ParamType["Address"]):
    """An address in either spelling, kept in lower case."""

    name = "ADDRESS"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> "Address":
        """0x and 40 hex digits."""
        from protocol.types import parse_address

        try:
            return parse_address(str(value).lower())
        except ValueError:
            self.fail(f"{value!r} is not an address", param, ctx)


class Digest(click.ParamType[bytes]):
    """32 bytes as 0x and 64 hex digits."""

    name = "ID"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> bytes:
        """Kept as bytes."""
        from protocol.hashing import from_hex

        if isinstance(value, bytes):
            return value
        try:
            return from_hex(str(value).lower(), 32)
        except ValueError:
            self.fail(f"{value!r} is not 0x and 64 hex digits", param, ctx)


AMOUNT, ADDRESS, DIGEST = Amount(), AddressParam(), Digest()


def open_amount(wei: int) -> str:
    """Wei as an exact amount of OPEN."""
    text = f"{Decimal(wei) / WEI:f}" if wei < 10**27 else f"{wei // WEI}.{wei % WEI:018d}"
    return (text.rstrip("0").rstrip(".") if "." in text else text) + " OPEN"


def read_password(path: Path | None, confirm: bool) -> str:
    """From the file where one is configured, else asked for; never from an argument or a variable."""
    if path is None:
        return str(click.prompt("Password", hide_input=True, confirmation_prompt=confirm, err=True))
    try:
        return path.expanduser().read_text(encoding="utf-8").rstrip("\r\n")
    except OSError as error:
        raise InvalidInput(f"the password file cannot be read: {error.strerror}", path=str(path)) from error
