"""What the operator writes is what the node obeys, and every mistake is named with its file and key."""

import dataclasses
import typing
from pathlib import Path

import pytest

from node.config import Config, effective, load_config
from node.errors import ConfigError

COMMANDS = Path(__file__).resolve().parents[2] / "node" / "cli"
KEYS = [
    f"{section}.{field.name}"
    for section, kind in typing.get_type_hints(Config).items()
    for field in dataclasses.fields(kind)
]


def written(folder: Path, text: str) -> Path:
    path = folder / "node.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_no_file_and_no_variables_give_the_defaults() -> None:
    """SPEC 0.60"""
    config = load_config(None, {})
    assert config.api == Config().api
    assert config.node.data_dir.is_absolute()


def test_environment_beats_file_beats_default(tmp_path: Path) -> None:
    """SPEC 0.60"""
    path = written(tmp_path, '[api]\nport = 9000\nhost = "0.0.0.0"\n[node]\ndata_dir = "/var/lib/ol"\n')
    config = load_config(
        path, {"OPENLEDGER_API_PORT": "9001", "OPENLEDGER_API_ALLOWED_HOSTS": "a.example, b.example"}
    )
    assert (config.api.port, config.api.host) == (9001, "0.0.0.0")
    assert config.api.allowed_hosts == ("a.example", "b.example")
    assert config.database == Path("/var/lib/ol/node.sqlite")
    assert load_config(None, {"OPENLEDGER_CONFIG": str(path)}).api.port == 9000


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[apy]\nport = 1\n", "unknown section [apy]"),
        ("[api]\nprot = 1\n", "[api]: unknown key prot"),
        ('[api]\nport = "1"\n', "[api]: port: expected int, got '1'"),
        ("[api]\nport = true\n", "[api]: port: expected int, got True"),
        ("[api]\nport = 70000\n", "port must be 0..65535, got 70000"),
        ("[api]\ndefault_max_tokens = 9999\n", "default_max_tokens 9999"),
        ("[api]\nallowed_hosts = [1]\n", "[api]: allowed_hosts"),
        ('[node]\nprivate_key = "0x00"\n', "openledger keys create"),
        ('[chain]\nrpc_url = "file:///etc/passwd"\n', "rpc_url must be http(s)"),
        ("api = 3\n", "[api]: must be a table"),
        ("[api\n", "not TOML"),
    ],
)
def test_a_mistake_in_the_file_is_named_with_file_and_key(tmp_path: Path, text: str, named: str) -> None:
    """SPEC 0.61"""
    path = written(tmp_path, text)
    with pytest.raises(ConfigError) as refused:
        load_config(path, {})
    assert named in str(refused.value)
    assert str(path) in str(refused.value)


@pytest.mark.parametrize(
    ("variable", "text"),
    [("OPENLEDGER_API_PORT", "x"), ("OPENLEDGER_API_PROT", "1"), ("OPENLEDGER_LOG_JSON", "maybe")],
)
def test_a_mistake_in_the_environment_names_the_variable(variable: str, text: str) -> None:
    """SPEC 0.61"""
    with pytest.raises(ConfigError, match=variable):
        load_config(None, {variable: text})


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """SPEC 0.61"""
    with pytest.raises(ConfigError, match=r"absent\.toml"):
        load_config(tmp_path / "absent.toml", {})


def test_effective_shows_every_key_as_plain_values(tmp_path: Path) -> None:
    """SPEC 0.62"""
    shown = effective(load_config(None, {"OPENLEDGER_NODE_DATA_DIR": str(tmp_path)}))
    assert shown["node"]["data_dir"] == str(tmp_path.resolve())
    assert shown["api"]["allowed_hosts"] == []


@pytest.mark.parametrize("key", KEYS)
def test_every_key_is_read_where_the_node_is_put_together(key: str) -> None:
    """SPEC 0.62: a key that nothing obeys would be a promise that nobody keeps."""
    assert any(key in path.read_text(encoding="utf-8") for path in COMMANDS.glob("*.py"))
