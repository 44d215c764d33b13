"""The gateway: everyone asks, the asked node answers, what was not answered goes back."""

from tests.contracts.asking import PROMPT, ask
from tests.contracts.roles.rules import Rules, Scene, anyone, only


def prepare(scene: Scene) -> None:
    world = scene.world
    scene["unanswered"] = ask(world)
    world.pass_to(scene["unanswered"].deadline)
    world.fund("stranger", 100, world.gateway)


def prepare_last(scene: Scene) -> None:
    scene["asked"] = ask(scene.world)


RULES: Rules = {
    "request": anyone(
        lambda s: [s.at("node"), s["model"], PROMPT, 100, s.world.now + 50, 0],
        paused="InferenceGatewayPaused",
    ),
    "fulfil": only(
        ("node", "hot_signer"),
        "InferenceGatewayNotNode",
        lambda s: [*s["asked"].answer(s["asked"].receipt()).args],
    ),
    "refund": anyone(lambda s: [s["unanswered"].id]),
}
