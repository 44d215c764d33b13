"""What is deployed where, and the compiled contracts that ship with this package: nodes need no compiler."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from node.errors import ConfigError, NotFound
from protocol.errors import EncodingError
from protocol.types import Address, parse_address

Abi = list[dict[str, Any]]


@dataclass(frozen=True)
class Artifact:
    """One compiled contract."""

    name: str
    abi: Abi
    bytecode: str
    deployed_bytecode: str


@dataclass(frozen=True)
class Deployment:
    """The suite on one chain, from `block` on; epochs count from `genesis` (unix seconds)."""

    chain_id: int
    block: int
    genesis: int
    contracts: Mapping[str, Address]
    settings: Mapping[str, Any]

    def address(self, name: str) -> Address:
        """The address of a contract; raises NotFound with the names there are."""
        if name not in self.contracts:
            raise NotFound("no such contract in the deployment", name=name, known=sorted(self.contracts))
        return self.contracts[name]


def load_deployment(path: Path) -> Deployment:
    """Reads `{chainId, block, genesis, contracts, settings}`; raises ConfigError saying what is wrong."""
    try:
        body = json.loads(path.read_text(encoding="utf-8"))
        return Deployment(
            chain_id=_whole(body, "chainId"),
            block=_whole(body, "block"),
            genesis=_whole(body, "genesis"),
            contracts={name: parse_address(address) for name, address in body["contracts"].items()},
            settings=dict(body.get("settings", {})),
        )
    except FileNotFoundError as error:
        raise ConfigError("no deployment file; deploy the contracts first", path=str(path)) from error
    except (ValueError, KeyError, TypeError, AttributeError, EncodingError) as error:
        raise ConfigError("not a deployment file", path=str(path), reason=str(error)) from error


def _whole(body: Mapping[str, Any], name: str) -> int:
    value = body[name]
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise TypeError(f"{name} must be a whole number, got {value!r}")
    return value


@cache
def artifact_names() -> tuple[str, ...]:
    """The contracts that ship with this package."""
    folder = resources.files("node.chain") / "artifacts"
    return tuple(
        sorted(item.name.removesuffix(".json") for item in folder.iterdir() if item.name.endswith(".json"))
    )


@cache
def load_artifact(name: str) -> Artifact:
    """A packaged contract by name; raises NotFound."""
    if name not in artifact_names():
        raise NotFound("no such contract in this package", name=name)
    text = (resources.files("node.chain") / "artifacts" / f"{name}.json").read_text(encoding="utf-8")
    body = json.loads(text)
    return Artifact(name, body["abi"], body["bytecode"], body["deployedBytecode"])
