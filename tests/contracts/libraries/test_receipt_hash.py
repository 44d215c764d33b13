"""ReceiptHash, VoucherHash and EarnerAccounts against the vectors and `protocol`."""

import pytest
from web3.contract import Contract

from node.chain.keccak import keccak
from protocol import receipt as records
from protocol.rewards import stakers_account
from tests.contracts.libraries.conftest import vectors
from tests.contracts.world import World


def checksummed(libraries: Contract, values: tuple[object, ...]) -> tuple[object, ...]:
    is_address = lambda v: isinstance(v, str) and len(v) == 42  # noqa: E731
    return tuple(libraries.w3.to_checksum_address(v) if is_address(v) else v for v in values)


@pytest.mark.parametrize("case", vectors("receipt")["cases"], ids=lambda case: case["structHash"][:10])
def test_receipts_hash_as_in_the_vectors(libraries: Contract, case: dict[str, object]) -> None:
    """SPEC 7.33: Solidity and Python hash the same receipt alike."""
    receipt = records.receipt_from_json(case["receipt"])
    values = checksummed(libraries, records.solidity_tuple(receipt))
    assert "0x" + libraries.functions.hashReceipt(values).call().hex() == case["structHash"]


@pytest.mark.parametrize("case", vectors("voucher")["cases"], ids=lambda case: case["structHash"][:10])
def test_vouchers_hash_as_in_the_vectors(libraries: Contract, case: dict[str, object]) -> None:
    """SPEC 7.33: Solidity and Python hash the same voucher alike."""
    voucher = records.voucher_from_json(case["voucher"])
    hashed = libraries.functions.hashVoucher(records.solidity_tuple(voucher)).call()
    assert "0x" + hashed.hex() == case["structHash"]


def test_stakers_accounts_agree(libraries: Contract, world: World) -> None:
    """SPEC 8.23: the account of a node's stakers is the same on both sides."""
    for actor in ("node", "other_node"):
        account = libraries.functions.stakersOf(world.address(actor)).call()
        assert account.lower() == stakers_account(world.plain(actor), keccak)
