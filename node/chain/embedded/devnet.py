"""The accounts of the development mnemonic that every Ethereum tool knows: worthless by design."""

from dataclasses import dataclass

from eth_account import Account
from eth_account.hdaccount import key_from_seed, seed_from_mnemonic
from eth_keys.datatypes import PrivateKey

DEVNET_MNEMONIC = "test test test test test test test test test test test junk"
DEVNET_BALANCE = 10_000 * 10**18


@dataclass(frozen=True)
class DevnetAccount:
    """An unlocked account: 20-byte address and its key."""

    address: bytes
    key: PrivateKey


def devnet_accounts(mnemonic: str = DEVNET_MNEMONIC, count: int = 10) -> tuple[DevnetAccount, ...]:
    """The first `count` accounts of the mnemonic on the standard path m/44'/60'/0'/0/i."""
    Account.enable_unaudited_hdwallet_features()
    seed = seed_from_mnemonic(mnemonic, passphrase="")
    found = (PrivateKey(key_from_seed(seed, f"m/44'/60'/0'/0/{index}")) for index in range(count))
    return tuple(DevnetAccount(key.public_key.to_canonical_address(), key) for key in found)
