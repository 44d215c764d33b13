"""Brownie script: deploys the suite and writes the deployment record.

`python scripts/brownie_run.py deploy --rpc URL --out FILE [--settings FILE]`, or `brownie run deploy main
--network NAME` with OPENLEDGER_DEPLOYMENT_OUT and OPENLEDGER_SETTINGS set. The deployer is the endpoint's
first unlocked account, or the encrypted key file OPENLEDGER_DEPLOYER_KEYSTORE opened with the first line of
OPENLEDGER_DEPLOYER_PASSWORD_FILE.
"""

import json
import os
from pathlib import Path
from typing import Any

from brownie import accounts, chain, history, network, project, web3
from eth_account import Account

from scripts.deployment_plan import Settings, deploy_suite, deployment_record, load_settings, settled


class BrownieDeployer:
    """The plan's deployer over Brownie's project and account."""

    def __init__(self, account: Any) -> None:
        self._account = account
        self._contracts = project.get_loaded_projects()[0]
        self.address = account.address

    def nonce(self) -> int:
        """The nonce of the account's next transaction."""
        return int(self._account.nonce)

    def time(self) -> int:
        """The head's time."""
        return int(chain[-1].timestamp)

    def deploy(self, name: str, *arguments: Any) -> str:
        """Creates the contract."""
        # Brownie calls a transaction dropped where an endpoint shows its nonce before the transaction.
        self._contracts[name].deploy(*arguments, {"from": self._account, "required_confs": 0})
        # From the history: what `deploy` returns knows its transaction only if the thread in which Brownie
        # books deployments did not meet the last one's.
        digest = history[-1].txid
        mined = web3.eth.wait_for_transaction_receipt(digest, timeout=120)
        if mined["status"] != 1:
            raise RuntimeError(f"the creation of {name} reverted in {digest}")
        return str(mined["contractAddress"])

    def transfer(self, token: str, recipient: str, amount: int) -> None:
        """Sends OPEN."""
        self._contracts["OpenToken"].at(token).transfer(recipient, amount, {"from": self._account})


def deployer_account() -> Any:
    """The account that deploys; RuntimeError when the endpoint has none and no key file is named."""
    keystore = os.environ.get("OPENLEDGER_DEPLOYER_KEYSTORE")
    if keystore:
        password = Path(os.environ["OPENLEDGER_DEPLOYER_PASSWORD_FILE"]).read_text().splitlines()[0]
        return accounts.add(Account.decrypt(Path(keystore).read_text(), password))
    if len(accounts) == 0:
        raise RuntimeError(
            f"{network.show_active()} has no unlocked account; set OPENLEDGER_DEPLOYER_KEYSTORE"
        )
    return accounts[0]


def deploy_with_brownie(account: Any, settings: Settings) -> dict[str, Any]:
    """Deploys the suite from a Brownie account; returns the deployment record."""
    deployer = BrownieDeployer(account)
    fixed = settled(deployer, settings)
    first_block = chain.height + 1
    return deployment_record(deploy_suite(deployer, fixed), fixed, chain.id, first_block)


def main() -> None:
    named = os.environ.get("OPENLEDGER_SETTINGS")
    settings = load_settings(Path(named) if named else None)
    record = deploy_with_brownie(deployer_account(), settings)
    text = json.dumps(record, indent=1) + "\n"
    out = os.environ.get("OPENLEDGER_DEPLOYMENT_OUT")
    if out:
        Path(out).write_text(text)
    print(text)
