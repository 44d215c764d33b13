"""Who may stand behind a signature: a plain account, a contract account, an account with delegated code.

The contract account's owner signs for it (ERC-1271). The delegated ones keep their key: EIP-7702 points their
code at a contract that knows ERC-1271, or at one that does not.
"""

from dataclasses import dataclass
from typing import Any

from eth_account import Account as Wallet
from web3.contract import Contract
from web3.contract.contract import ContractFunction

from tests.contracts.asking import deploy
from tests.contracts.world import Mined, World, key_of

OWNER = "hot_signer"
KINDS = ("plain", "contract", "delegated", "delegated with 1271")


@dataclass(frozen=True)
class Account:
    """`key` is what signs for `address`; `wallet` is the contract account, if it is one."""

    world: World
    address: str
    key: bytes
    wallet: Contract | None = None

    def send(self, call: ContractFunction) -> Mined:
        """The account does this itself."""
        if self.wallet is None:
            return self.world.send(call, "payer")
        data = call._encode_transaction_data()
        return self.world.send(self.wallet.functions.act(call.address, data), OWNER)


def account_of(world: World, kind: str) -> Account:
    """An account of that kind; all but the contract account are the actor `payer`."""
    if kind == "contract":
        wallet = deploy(world, "WalletMock", world.address(OWNER))
        return Account(world, wallet.address, key_of(OWNER), wallet)
    payer = Account(world, world.address("payer"), key_of("payer"))
    if kind != "plain":
        speaks_1271 = kind == "delegated with 1271"
        code = deploy(world, "WalletMock", payer.address) if speaks_1271 else deploy(world, "LibrariesMock")
        delegate(world, payer, code.address)
    return payer


def delegate(world: World, account: Account, code: str) -> None:
    """Points the account's code at a contract by an EIP-7702 transaction that a stranger pays for."""
    signer = Wallet.from_key(account.key)
    nonce = world.web3.eth.get_transaction_count(account.address)
    signed = signer.sign_authorization({"chainId": world.chain_id, "address": code, "nonce": nonce})
    sender = Wallet.from_key(key_of("stranger"))
    transaction: dict[str, Any] = {
        "type": 4,
        "chainId": world.chain_id,
        "nonce": world.web3.eth.get_transaction_count(sender.address),
        "gas": 200_000,
        "maxFeePerGas": 10**10,
        "maxPriorityFeePerGas": 10**9,
        "to": sender.address,
        "value": 0,
        "data": b"",
        "accessList": [],
        "authorizationList": [signed],
    }
    digest = world.web3.eth.send_raw_transaction(sender.sign_transaction(transaction).raw_transaction)
    world.web3.eth.wait_for_transaction_receipt(digest, timeout=30, poll_latency=0.005)
    found = bytes(world.web3.eth.get_code(account.address))
    assert found == b"\xef\x01\x00" + bytes.fromhex(code[2:])
