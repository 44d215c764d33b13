"""Channels: the payer's money, and the payee's once a voucher says so."""

from protocol.receipt import solidity_tuple
from scripts.deployment_plan import OPEN
from tests.contracts.channel import call_tuple, open_channel, terms_of
from tests.contracts.roles.rules import WORD, Rules, Scene, anyone, only

SALTS = (b"\x11" * 32, b"\x12" * 32, b"\x13" * 32)


def prepare(scene: Scene) -> None:
    """A channel with a voucher, and one whose payer may withdraw."""
    world = scene.world
    scene["channel"], leaving = (open_channel(world, OPEN, salt=salt) for salt in SALTS[:2])
    scene["leaving"] = leaving
    leaving.do("requestWithdraw")
    scene["channel"].do("authorizeSigner", world.address("hot_signer"), 1, 2**60)
    world.pass_to(leaving.withdrawable_at)
    world.fund("stranger", OPEN, world.channels)


def voucher(scene: Scene) -> list[object]:
    made = scene["channel"].voucher(5)
    return [solidity_tuple(made), scene["channel"].sign(made)]


def terms(scene: Scene) -> object:
    return call_tuple(terms_of(scene.world, salt=SALTS[2]))


UNSIGNED = "ERC3009InvalidSignature"
NOT_PAYER = "PaymentChannelsNotPayer"
RULES: Rules = {
    "open": only("payer", NOT_PAYER, lambda s: [terms(s), 1]),
    "openWithPermit": only("payer", NOT_PAYER, lambda s: [terms(s), 1, 2**60, 27, WORD, WORD]),
    "deposit": anyone(lambda s: [s["channel"].id, 1]),
    "authorizeSigner": only("payer", NOT_PAYER, lambda s: [s["channel"].id, s.at("node"), 1, 2**60]),
    "revokeSigner": only("payer", NOT_PAYER, lambda s: [s["channel"].id, s.at("hot_signer")]),
    "requestWithdraw": only("payer", NOT_PAYER, lambda s: [s["channel"].id]),
    "withdraw": only("payer", NOT_PAYER, lambda s: [s["leaving"].id]),
    # Who signed pays; here the payer has signed nothing.
    "openWithAuthorization": anyone(lambda s: [terms(s), 1, 0, 2**60, bytes(65)], meets=UNSIGNED),
    "depositWithPermit": anyone(lambda s: [s["channel"].id, 1, 2**60, 27, WORD, WORD]),
    "depositWithAuthorization": anyone(
        lambda s: [s["channel"].id, 1, 0, 2**60, WORD, bytes(65)], meets=UNSIGNED
    ),
    "claim": only(("node", "hot_signer"), "PaymentChannelsNotPayee", voucher),
    "claimMany": anyone(lambda s: [[], []]),
}
