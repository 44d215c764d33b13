"""Who may sign: keys everywhere, contract accounts where only their own money or name is at stake."""

import pytest

from tests.contracts.signatures.accounts import KINDS, account_of
from tests.contracts.signatures.subjects import SUBJECTS
from tests.contracts.world import World, reverts

# Only these ask a contract account (ERC-1271). What was served upon must not depend on code that changes.
ASKS_CONTRACTS = {"transfer bytes", "receive bytes", "cancel bytes", "labour"}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("subject", sorted(SUBJECTS))
def test_each_kind_of_account_signs_where_it_may(world: World, subject: str, kind: str) -> None:
    """SPEC 6.74: an account's key counts whether or not the account has code; ERC-1271 where listed."""
    signed = SUBJECTS[subject](world, account_of(world, kind))
    if kind != "contract" or subject in ASKS_CONTRACTS:
        signed.submit(signed.message, signed.sign())
        return
    with reverts(signed.refusals.wrong):
        signed.submit(signed.message, signed.sign())


@pytest.mark.parametrize("subject", sorted(ASKS_CONTRACTS))
def test_a_contract_account_refuses_what_its_owner_did_not_sign(world: World, subject: str) -> None:
    """SPEC 6.74: by the contract account's own judgement, of the very message."""
    signed = SUBJECTS[subject](world, account_of(world, "contract"))
    with reverts(signed.refusals.wrong):
        signed.submit(signed.message, signed.sign(key=b"\x05" * 32))
    for name, value in signed.others.items():
        with reverts(signed.early.get(name, signed.refusals.wrong)):
            signed.submit(signed.message | {name: value}, signed.sign())
    signed.submit(signed.message, signed.sign())


def test_a_contract_account_pays_through_a_session_signer(world: World) -> None:
    """SPEC 6.74: a contract account opens by its ERC-1271 word and lets a plain key sign its vouchers."""
    payer = account_of(world, "contract")
    world.stake("node")
    world.send(world.token.functions.transfer(payer.address, 100), "deployer")
    terms = (payer.address, world.address("node"), 120, bytes(32))
    channel = bytes(world.channels.functions.channelId(terms).call())
    received = SUBJECTS["receive bytes"](world, payer)
    message = received.message | {"to": world.channels.address, "value": 100, "nonce": channel}
    signature = received.sign(message)
    world.send(
        world.channels.functions.openWithAuthorization(terms, 100, 0, message["validBefore"], signature),
        "stranger",
    )
    session = account_of(world, "plain")
    expiry = world.now + 1_000
    payer.send(world.channels.functions.authorizeSigner(channel, session.address, 50, expiry))
    voucher = SUBJECTS["voucher"](world, session)
    paid = voucher.message | {"channelId": channel}
    voucher.submit(paid, voucher.sign(paid))
    assert world.channels.functions.getChannel(channel).call()[4] == 30
