"""The plan by which the suite is deployed."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from eth_account import Account

from scripts.deployment_plan import (
    DEVNET,
    OPEN,
    ORDER,
    DeploymentAddressMismatch,
    Web3Deployer,
    deploy_suite,
    deploy_with_web3,
    load_settings,
)
from tests.contracts.world import SETTINGS, World, key_of


def test_a_local_key_deploys_without_an_unlocked_account(world: World) -> None:
    """SPEC 9.32: from the committed artifacts, signed by a key that the endpoint never sees."""
    settings = replace(DEVNET, allocations={world.address("payer"): 5 * OPEN}, recipient=None)
    record = deploy_with_web3(world.web3, Account.from_key(key_of("deployer")), settings)
    assert tuple(record["contracts"]) == ORDER
    assert set(record["contracts"].values()).isdisjoint(world.record["contracts"].values())
    token = world.web3.eth.contract(
        address=world.checksum(record["contracts"]["OpenToken"]), abi=world.token.abi
    )
    assert token.functions.balanceOf(world.address("payer")).call() == 5 * OPEN
    assert record["genesis"] <= world.now
    assert json.loads(json.dumps(record))["settings"]["commit_bond"] == str(DEVNET.commit_bond)


class Interrupted(Web3Deployer):
    """Loses its place in the nonces before the third contract, as when someone else uses the account."""

    def deploy(self, name: str, *arguments: object) -> str:
        if name == ORDER[2]:
            self._web3.eth.send_transaction({"from": self.address, "to": self.address, "value": 0})
        return super().deploy(name, *arguments)


def test_a_contract_at_another_address_stops_the_deployment(world: World) -> None:
    """SPEC 9.24: links are computed beforehand; a contract that lands elsewhere stops it."""
    with pytest.raises(DeploymentAddressMismatch, match=ORDER[2]):
        deploy_suite(Interrupted(world.web3, world.address("deployer")), SETTINGS)


def test_settings_come_over_the_development_networks(tmp_path: Path) -> None:
    named = tmp_path / "settings.json"
    named.write_text(json.dumps({"epoch_length": 7, "commit_bond": "12", "allocations": {"0x01": "34"}}))
    assert load_settings(named) == replace(DEVNET, epoch_length=7, commit_bond=12, allocations={"0x01": 34})
    assert load_settings(None) == replace(DEVNET, allocations={})


def test_a_misspelt_setting_is_refused(tmp_path: Path) -> None:
    named = tmp_path / "settings.json"
    named.write_text(json.dumps({"epoch_lenght": 7}))
    with pytest.raises(ValueError, match="epoch_lenght"):
        load_settings(named)
