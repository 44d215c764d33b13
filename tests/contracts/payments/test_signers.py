"""Session signers: keys that a payer lets sign vouchers, up to a cap and an expiry."""

import pytest

from tests.contracts.channel import DELAY, open_channel
from tests.contracts.world import World, reverts


def test_a_signer_signs_up_to_its_cap(world: World) -> None:
    """SPEC 6.26: a session signer binds the payer up to the cumulative cap."""
    channel = open_channel(world, 100)
    signer = world.address("hot_signer")
    channel.do("authorizeSigner", signer, 40, world.now + 1_000)
    channel.claim(40, signer="hot_signer")
    with reverts("PaymentChannelsOverCap", signer, 41, 40):
        channel.claim(41, signer="hot_signer")
    channel.claim(41, signer="payer")
    assert channel.claimed == 41


@pytest.mark.parametrize(("offset", "accepted"), [(-1, True), (0, False), (1, False)])
def test_a_signer_binds_before_its_expiry_only(world: World, offset: int, accepted: bool) -> None:
    """SPEC 6.26: a session signer binds the payer while now < expiry."""
    channel = open_channel(world, 100)
    signer, expiry = world.address("hot_signer"), world.now + 500
    channel.do("authorizeSigner", signer, 40, expiry)
    if accepted:
        channel.claim(9, signer="hot_signer", at=expiry + offset)
        return
    with reverts("PaymentChannelsSignerExpired", signer, expiry):
        channel.claim(9, signer="hot_signer", at=expiry + offset)


def test_a_signer_of_one_channel_is_a_stranger_to_another(world: World) -> None:
    first, second = open_channel(world), open_channel(world, salt=b"\x02" * 32)
    first.do("authorizeSigner", world.address("hot_signer"), 40, world.now + 1_000)
    with reverts("PaymentChannelsUnknownSigner", second.id, world.address("hot_signer")):
        second.claim(1, signer="hot_signer")


@pytest.mark.parametrize(("offset", "accepted"), [(-1, True), (0, False), (1, False)])
def test_a_revoked_signer_binds_until_the_delay_is_over(world: World, offset: int, accepted: bool) -> None:
    """SPEC 6.27: a revocation takes effect after the channel's withdraw delay."""
    channel = open_channel(world, 100)
    signer = world.address("hot_signer")
    channel.do("authorizeSigner", signer, 40, world.now + 100_000)
    end = channel.do("revokeSigner", signer).time + DELAY
    assert world.channels.functions.signerCap(channel.id, signer).call() == [40, end]
    if accepted:
        channel.claim(9, signer="hot_signer", at=end + offset)
        return
    with reverts("PaymentChannelsSignerExpired", signer, end):
        channel.claim(9, signer="hot_signer", at=end + offset)


def test_a_revocation_never_extends(world: World) -> None:
    channel = open_channel(world)
    signer, expiry = world.address("hot_signer"), world.now + 30
    channel.do("authorizeSigner", signer, 40, expiry)
    channel.do("revokeSigner", signer)
    assert world.channels.functions.signerCap(channel.id, signer).call() == [40, expiry]


def test_an_authorisation_only_grows(world: World) -> None:
    """SPEC 6.27: re-authorising lowers neither cap nor expiry."""
    channel = open_channel(world)
    signer, expiry = world.address("hot_signer"), world.now + 1_000
    channel.do("authorizeSigner", signer, 40, expiry)
    for cap, until in ((39, expiry), (40, expiry - 1)):
        with reverts("PaymentChannelsSignerCannotShrink", signer, 40, expiry):
            channel.do("authorizeSigner", signer, cap, until)
    for cap, until in ((40, expiry), (50, expiry), (50, expiry + 5)):
        channel.do("authorizeSigner", signer, cap, until)
        assert world.channels.functions.signerCap(channel.id, signer).call() == [cap, until]


def test_only_the_payer_authorises_and_revokes(world: World) -> None:
    """SPEC 6.28: nobody but the payer and its signers binds the payer."""
    channel = open_channel(world)
    signer = world.address("stranger")
    with reverts("PaymentChannelsNotPayer", channel.id, signer, world.address("payer")):
        channel.do("authorizeSigner", signer, 40, world.now + 1_000, sender="stranger")
    with reverts("PaymentChannelsNotPayer", channel.id, signer, world.address("payer")):
        channel.do("revokeSigner", signer, sender="stranger")
    with reverts("PaymentChannelsUnknownSigner", channel.id, signer):
        channel.claim(1, signer="stranger")
    with reverts("PaymentChannelsUnknownSigner", channel.id, signer):
        channel.do("revokeSigner", signer)


def test_a_signer_that_is_born_expired_is_refused(world: World) -> None:
    channel = open_channel(world)
    signer = world.address("hot_signer")
    with reverts("PaymentChannelsSignerExpired", signer, world.now):
        channel.do("authorizeSigner", signer, 40, world.now)
    with reverts("PaymentChannelsZeroSigner"):
        channel.do("authorizeSigner", "0x" + "00" * 20, 40, world.now + 100)
