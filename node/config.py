"""The operator's configuration: a TOML file, then `OPENLEDGER_<SECTION>_<KEY>` variables, as dataclasses.

It is read once, at the door; stages get plain values. It refuses unknown keys and any secret: keys live
in the keystore.
"""

import dataclasses
import os
import tomllib
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from node.errors import ConfigError

ENVIRONMENT_PREFIX = "OPENLEDGER_"
# Variables with our prefix that are not configuration keys.
OTHER_VARIABLES = frozenset({"OPENLEDGER_CONFIG", "OPENLEDGER_FAILPOINT"})
SECRET_KEYS = frozenset({"private_key", "mnemonic", "password", "secret", "api_key", "seed_phrase"})
MIB = 1 << 20


@dataclass(frozen=True)
class NodeSection:
    """Who this node is and where it keeps its state."""

    data_dir: Path = Path("~/.openledger")
    operator_key: str = "operator"
    receipt_key: str = "receipts"
    password_file: Path | None = None


@dataclass(frozen=True)
class ChainSection:
    """Which chain. `openledger chain run` starts the development chain at `rpc_url` with these values."""

    rpc_url: str = "http://127.0.0.1:8545"
    # What a wallet is told when it adds the chain; empty means `rpc_url`.
    public_rpc_url: str = ""
    name: str = "OpenLedger devnet"
    chain_id: int = 31337
    block_seconds: int = 1
    deployment: Path = Path("deployment.json")
    confirmations: int = 0
    poll_seconds: float = 1.0


@dataclass(frozen=True)
class ApiSection:
    """The public HTTP listener and its limits."""

    host: str = "127.0.0.1"
    port: int = 8080
    # Names under which a browser may reach us, beside the listener's own address; "*" switches the check off.
    allowed_hosts: tuple[str, ...] = ()
    # Scheme and host under which clients reach us, for links; empty takes each request's own.
    public_url: str = ""
    max_body_bytes: int = MIB
    body_timeout_seconds: float = 10.0
    write_timeout_seconds: float = 30.0
    max_in_flight: int = 64
    max_in_flight_per_key: int = 16
    max_prompt_bytes: int = 256 * 1024
    max_tokens: int = 1024
    default_max_tokens: int = 128


@dataclass(frozen=True)
class WorkerSection:
    """The inference process. With `spawn` the node starts and restarts it."""

    spawn: bool = True
    socket: Path = Path("worker.sock")
    internal_socket: Path = Path("node.sock")
    token_file: Path = Path("worker.token")
    data_dir: Path = Path("worker")
    base_dir: Path = Path("base")
    restart_seconds: float = 1.0


@dataclass(frozen=True)
class ServingSection:
    """How much the node serves on credit, and how much an API key may spend by default; in wei.

    An attribution is called late after `attribution_seconds`, and given up after `attribution_last_seconds`.
    """

    credit_wei: int = 10**18
    key_cap_wei: int = 10 * 10**18
    attribution_seconds: float = 120.0
    attribution_last_seconds: float = 86_400.0


@dataclass(frozen=True)
class SettlementSection:
    """The node's part in the epochs' settlement."""

    aggregate: bool = True
    claim_vouchers: bool = True
    poll_seconds: float = 2.0


@dataclass(frozen=True)
class SiteSection:
    """The web pages. `publish_answers` shows the text of answers to whoever knows or lists their ids."""

    enabled: bool = True
    publish_answers: bool = False
    name: str = "OpenLedger"


@dataclass(frozen=True)
class IpfsSection:
    """A Kubo daemon through which nodes share their statements; empty means this node's own blocks alone."""

    api: str = ""


@dataclass(frozen=True)
class LogSection:
    """Level by its standard name; JSON lines for collectors."""

    level: str = "info"
    json: bool = False


@dataclass(frozen=True)
class Config:
    """All sections. Relative paths are relative to `node.data_dir`, except `node.data_dir` itself."""

    node: NodeSection = field(default_factory=NodeSection)
    chain: ChainSection = field(default_factory=ChainSection)
    api: ApiSection = field(default_factory=ApiSection)
    worker: WorkerSection = field(default_factory=WorkerSection)
    serving: ServingSection = field(default_factory=ServingSection)
    settlement: SettlementSection = field(default_factory=SettlementSection)
    site: SiteSection = field(default_factory=SiteSection)
    ipfs: IpfsSection = field(default_factory=IpfsSection)
    log: LogSection = field(default_factory=LogSection)

    def path(self, relative: Path) -> Path:
        """A path of the configuration made absolute."""
        return (self.node.data_dir / relative.expanduser()).resolve()

    @property
    def database(self) -> Path:
        """The node's one database file."""
        return self.path(Path("node.sqlite"))

    @property
    def keystore(self) -> Path:
        """The folder of encrypted key files."""
        return self.path(Path("keystore"))


def load_config(path: Path | None, environment: Mapping[str, str] | None = None) -> Config:
    """Defaults, then the file at `path` (or `OPENLEDGER_CONFIG`), then variables. Raises ConfigError."""
    variables = os.environ if environment is None else environment
    chosen = path if path is not None else _path_of(variables.get("OPENLEDGER_CONFIG"))
    document = {} if chosen is None else _read(chosen)
    origin = "environment" if chosen is None else str(chosen)
    hints = typing.get_type_hints(Config)
    for name in document.keys() - hints.keys():
        raise ConfigError(f"{origin}: unknown section [{name}]; known: {', '.join(hints)}")
    overrides = _overrides(variables, hints)
    sections = {
        name: _section(kind, document.get(name, {}), overrides.get(name, {}), f"{origin}: [{name}]")
        for name, kind in hints.items()
    }
    return _checked(Config(**sections), origin)


def effective(config: Config) -> dict[str, dict[str, object]]:
    """Every key with the value in force, ready for JSON. It holds no secret, since none can be configured."""
    return {
        section: {name: _plain(value) for name, value in values.items()}
        for section, values in dataclasses.asdict(config).items()
    }


def _plain(value: object) -> object:
    return str(value) if isinstance(value, Path) else list(value) if isinstance(value, tuple) else value


def _path_of(text: str | None) -> Path | None:
    return Path(text).expanduser() if text else None


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not TOML: {error}") from error


def _overrides(variables: Mapping[str, str], sections: Mapping[str, type]) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for variable, text in variables.items():
        if not variable.startswith(ENVIRONMENT_PREFIX) or variable in OTHER_VARIABLES:
            continue
        section, _, key = variable.removeprefix(ENVIRONMENT_PREFIX).lower().partition("_")
        if section not in sections or key not in {one.name for one in dataclasses.fields(sections[section])}:
            raise ConfigError(f"environment: {variable} names no configuration key")
        found.setdefault(section, {})[key] = text
    return found


def _section(kind: type, values: object, overrides: Mapping[str, str], where: str) -> Any:
    if not isinstance(values, dict):
        raise ConfigError(f"{where}: must be a table, not {values!r}")
    hints = typing.get_type_hints(kind)
    for key in values.keys() - hints.keys():
        if key in SECRET_KEYS:
            raise ConfigError(f"{where}: {key} does not belong in a file; use `openledger keys create`")
        raise ConfigError(f"{where}: unknown key {key}; known: {', '.join(hints)}")
    typed = {key: _typed(hints[key], value, f"{where}: {key}") for key, value in values.items()}
    for key, text in overrides.items():
        where_variable = (
            f"environment: {ENVIRONMENT_PREFIX}{where[where.index('[') + 1 : -1].upper()}_{key.upper()}"
        )
        typed[key] = _parsed(hints[key], text, where_variable)
    return kind(**typed)


def _bare(hint: Any) -> Any:
    """`Path | None` is configured as a Path."""
    if isinstance(hint, types.UnionType):
        return next(part for part in typing.get_args(hint) if part is not type(None))
    return hint


def _typed(hint: Any, value: object, where: str) -> object:
    """A value from TOML, where the type must already be right."""
    kind = _bare(hint)
    if kind is Path and isinstance(value, str):
        return Path(value).expanduser()
    if kind is float and type(value) in (int, float):
        return float(typing.cast(float, value))
    # type() and not isinstance(): TOML's `true` is no integer.
    if kind in (str, int, bool) and type(value) is kind:
        return value
    if (
        typing.get_origin(kind) is tuple
        and isinstance(value, list)
        and all(type(one) is str for one in value)
    ):
        return tuple(value)
    name = kind.__name__ if isinstance(kind, type) else str(kind)
    raise ConfigError(f"{where}: expected {name}, got {value!r}")


def _boolean(text: str) -> bool:
    return {"true": True, "1": True, "false": False, "0": False}[text.lower()]


_PARSERS: dict[Any, Callable[[str], object]] = {
    bool: _boolean,
    int: int,
    float: float,
    str: str,
    Path: lambda text: Path(text).expanduser(),
}


def _parsed(hint: Any, text: str, where: str) -> object:
    """A value from an environment variable, where everything is text."""
    kind = _bare(hint)
    if typing.get_origin(kind) is tuple:
        return tuple(part.strip() for part in text.split(",") if part.strip())
    try:
        return _PARSERS[kind](text)
    except (KeyError, ValueError) as error:
        raise ConfigError(f"{where}: expected {kind.__name__}, got {text!r}") from error


def _checked(config: Config, origin: str) -> Config:
    """Rules that span the type of one key."""
    api, worker, serving = config.api, config.worker, config.serving
    rules = [
        (0 <= api.port <= 65535, f"[api]: port must be 0..65535, got {api.port}"),
        (api.max_body_bytes > 0, f"[api]: max_body_bytes must be positive, got {api.max_body_bytes}"),
        (0 < api.default_max_tokens <= api.max_tokens,
         f"[api]: default_max_tokens {api.default_max_tokens} must be 1..max_tokens {api.max_tokens}"),
        (api.max_in_flight > 0, f"[api]: max_in_flight must be positive, got {api.max_in_flight}"),
        (config.chain.confirmations >= 0,
         f"[chain]: confirmations must not be negative, got {config.chain.confirmations}"),
        (config.chain.rpc_url.startswith(("http://", "https://")),
         f"[chain]: rpc_url must be http(s), got {config.chain.rpc_url!r}"),
        (serving.credit_wei >= 0, f"[serving]: credit_wei must not be negative, got {serving.credit_wei}"),
        (0 < serving.attribution_seconds <= serving.attribution_last_seconds,
         f"[serving]: attribution_seconds {serving.attribution_seconds} must be positive and at most "
         f"attribution_last_seconds {serving.attribution_last_seconds}"),
        (worker.socket != worker.internal_socket,
         f"[worker]: socket and internal_socket are both {worker.socket}"),
    ]  # fmt: skip
    for holds, message in rules:
        if not holds:
            raise ConfigError(f"{origin}: {message}")
    home = dataclasses.replace(config.node, data_dir=config.node.data_dir.expanduser().resolve())
    return dataclasses.replace(config, node=home)
