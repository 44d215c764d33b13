"""OPEN: everyone's own; no owner, no mint."""

from tests.contracts.roles.rules import WORD, Rules, Scene, anyone

SOMEONE = "contributor"


def prepare(scene: Scene) -> None:
    world = scene.world
    world.send(world.token.functions.transfer(world.address("stranger"), 10**24), "deployer")
    world.send(world.token.functions.approve(world.address("stranger"), 10**24), "deployer")


def moved(scene: Scene) -> list[object]:
    return [scene.at("payer"), scene.at("stranger"), 1, 0, 2**60, WORD]


# ERC-3009 moves what an account signed for; here it has signed nothing.
UNSIGNED = "ERC3009InvalidSignature"
KINDS = {"bytes": [bytes(65)], "uint8,bytes32,bytes32": [27, WORD, WORD]}
MOVE = "address,address,uint256,uint256,uint256,bytes32"
RULES: Rules = {
    "approve": anyone(lambda s: [s.at(SOMEONE), 1]),
    "burn": anyone(lambda s: [1]),
    "burnFrom": anyone(lambda s: [s.at("deployer"), 1]),
    "delegate": anyone(lambda s: [s.at(SOMEONE)]),
    "delegateBySig": anyone(lambda s: [s.at(SOMEONE), 1, 2**60, 27, WORD, WORD], meets="InvalidAccountNonce"),
    "permit": anyone(
        lambda s: [s.at("payer"), s.at(SOMEONE), 1, 2**60, 27, WORD, WORD], meets="ERC2612InvalidSigner"
    ),
    "transfer": anyone(lambda s: [s.at(SOMEONE), 1]),
    "transferFrom": anyone(lambda s: [s.at("deployer"), s.at(SOMEONE), 1]),
}
for kind, signature in KINDS.items():
    for name in ("transferWithAuthorization", "receiveWithAuthorization"):
        RULES[f"{name}({MOVE},{kind})"] = anyone(lambda s, last=signature: [*moved(s), *last], meets=UNSIGNED)
    RULES[f"cancelAuthorization(address,bytes32,{kind})"] = anyone(
        lambda s, last=signature: [s.at("payer"), WORD, *last], meets=UNSIGNED
    )
