"""The command line without a chain: help, completion, configuration, keys, and the exit codes."""

import json
import re
import stat
import subprocess
import sys
from pathlib import Path

import click
import pytest

from node.cli.root import cli
from node.cli.session import AMOUNT, open_amount
from node.errors import ChainReverted, Conflict, NotFound, OpenLedgerError, Refused, Unavailable
from tests.node.cli.conftest import PASSWORD, Terminal

ROOT = Path(__file__).resolve().parents[3]


def commands(group: click.Command, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    if isinstance(group, click.Group):
        return [one for name, child in group.commands.items() for one in commands(child, (*path, name))]
    return [path]


@pytest.mark.parametrize("path", commands(cli), ids=" ".join)
def test_every_command_explains_itself(terminal: Terminal, path: tuple[str, ...]) -> None:
    """SPEC 0.63"""
    done = terminal.run(*path, "--help")
    assert done.exit_code == 0
    assert "Usage: " in done.output


def test_help_loads_nothing_heavy() -> None:
    """SPEC 0.63: help works where there is no chain library to load, and quickly."""
    code = (
        "import sys\n"
        "for name in ('web3', 'eth_account', 'aiohttp', 'cryptography', 'jinja2'): sys.modules[name] = None\n"
        "from node.cli.root import cli\ncli(['stake', 'add', '--help'])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "Stake AMOUNT OPEN behind NODE." in done.stdout


def test_the_module_is_the_command_and_tells_its_version() -> None:
    """SPEC 0.63"""
    done = subprocess.run(
        [sys.executable, "-m", "node", "--version"], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert re.fullmatch(r"openledger, version \S+\n", done.stdout)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_name_the_command(terminal: Terminal, shell: str) -> None:
    """SPEC 0.63"""
    done = terminal.run("completion", shell)
    assert done.exit_code == 0
    assert "_OPENLEDGER_COMPLETE" in done.output


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["absent"], 2),
        (["keys", "create"], 2),
        (["stake", "add", "0x12", "1"], 2),
        (["stake", "add", "0x" + "11" * 20, "-1"], 2),
        (["stake", "add", "0x" + "11" * 20, "1.0000000000000000001"], 2),
        (["channel", "show", "0x12"], 2),
        (["--config", "/absent.toml", "config", "show"], 2),
        (["chain", "show"], 2),
        (["receipt", "show", "0x" + "00" * 32, "--url", "http://127.0.0.1:9"], 6),
        (["receipt", "show", "0x" + "00" * 32, "--url", "file:///etc/passwd"], 6),
    ],
)
def test_mistakes_have_their_exit_code_and_go_to_standard_error(
    terminal: Terminal, arguments: list[str], code: int
) -> None:
    """SPEC 0.64"""
    done = terminal.run(*arguments)
    assert done.exit_code == code, done.output
    assert done.stdout == ""
    assert done.stderr


def test_each_category_of_error_has_a_code_of_its_own() -> None:
    """SPEC 0.64"""
    codes = [
        kind.exit_code for kind in (OpenLedgerError, NotFound, Conflict, Refused, Unavailable, ChainReverted)
    ]
    assert len(set(codes)) == len(codes)
    assert 0 not in codes


def test_with_json_an_error_is_json_too(terminal: Terminal) -> None:
    """SPEC 0.65"""
    done = terminal.run("receipt", "show", "0x" + "00" * 32, "--url", "http://127.0.0.1:9", "--json")
    error = json.loads(done.stderr)["error"]
    assert error["kind"] == "Unavailable"
    assert error["url"] == "http://127.0.0.1:9"


def test_keys_are_encrypted_named_and_never_overwritten(terminal: Terminal) -> None:
    """SPEC 0.67"""
    made = terminal.json("keys", "create", "operator", "--light")
    assert terminal.json("keys", "list") == [{"name": "operator", "account": made["account"]}]
    assert terminal.run("keys", "create", "operator", "--light").exit_code == 4
    path = terminal.folder / "data" / "keystore" / f"{made['account']}.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert PASSWORD not in path.read_text()


def test_an_imported_key_comes_from_standard_input_and_is_its_account(terminal: Terminal) -> None:
    """SPEC 0.67"""
    key = "0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d"
    made = terminal.json("keys", "create", "known", "--import", "--light", stdin=key + "\n")
    assert made["account"] == "0x70997970c51812dc3a010c7d01b50e0d17dc79c8"
    refused = terminal.run("keys", "create", "bad", "--import", "--light", stdin="zz\n")
    assert refused.exit_code == 2
    assert "zz" not in refused.stderr


def test_the_effective_configuration_is_shown(terminal: Terminal) -> None:
    """SPEC 0.62"""
    shown = terminal.json("config", "show")
    assert shown["chain"]["rpc_url"] == "http://127.0.0.1:9"
    assert terminal.run("config", "check").exit_code == 0


@pytest.mark.parametrize("text", ["0", "1", "0.000000000000000001", "2.5", "1000000000"])
def test_amounts_are_exact_both_ways(text: str) -> None:
    """SPEC 0.65"""
    assert open_amount(AMOUNT.convert(text, None, None)) == f"{text} OPEN"
