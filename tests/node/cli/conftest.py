"""A command line with a data folder of its own, a real chain with the suite, and keys that hold money."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from eth_account import Account
from web3 import Web3

from node.chain.embedded.devnet import devnet_accounts
from node.cli.root import cli
from scripts.deployment_plan import DEVNET, OPEN, deploy_with_web3
from tests.node.chain.support import chain_process

PASSWORD = "correct horse"
ROOT = Path(__file__).resolve().parents[3]


@dataclass
class Terminal:
    """Runs `openledger` in this process against one data folder."""

    folder: Path
    environment: dict[str, str]

    def run(self, *arguments: str, stdin: str | None = None) -> Result:
        return CliRunner().invoke(cli, list(arguments), env=self.environment, input=stdin)

    def json(self, *arguments: str, stdin: str | None = None) -> Any:
        """The result of a command that must succeed."""
        done = self.run(*arguments, "--json", stdin=stdin)
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    """Without a chain."""
    password = tmp_path / "password"
    password.write_text(PASSWORD + "\n")
    environment = {
        "OPENLEDGER_NODE_DATA_DIR": str(tmp_path / "data"),
        "OPENLEDGER_NODE_PASSWORD_FILE": str(password),
        "OPENLEDGER_CHAIN_RPC_URL": "http://127.0.0.1:9",
    }
    return Terminal(tmp_path, environment)


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """The URL of a chain and the record of what is deployed on it."""
    accounts = [Account.from_key(account.key.to_bytes()) for account in devnet_accounts()]
    with chain_process() as chain:
        web3 = Web3(Web3.HTTPProvider(chain.url))
        spread = {account.address: 10_000 * OPEN for account in accounts[1:4]}
        record = deploy_with_web3(
            web3, accounts[0], DEVNET.__class__(**{**DEVNET.__dict__, "allocations": spread})
        )
        path = tmp_path_factory.mktemp("suite") / "deployment.json"
        path.write_text(json.dumps(record))
        yield chain.url, path


@pytest.fixture
def online(terminal: Terminal, suite: tuple[str, Path]) -> Terminal:
    """With the chain, and with funded keys called operator, payer and receipts."""
    url, deployment = suite
    terminal.environment |= {"OPENLEDGER_CHAIN_RPC_URL": url, "OPENLEDGER_CHAIN_DEPLOYMENT": str(deployment)}
    for name, account in zip(("operator", "payer"), devnet_accounts()[1:3], strict=True):
        terminal.json("keys", "create", name, "--import", "--light", stdin=account.key.to_hex() + "\n")
    terminal.json("keys", "create", "receipts", "--light")
    return terminal
