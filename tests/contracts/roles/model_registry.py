"""Models: everyone registers, the owner prices and retires."""

from tests.contracts.models.test_model_registry import TOKENIZER, register_base, register_model, terms
from tests.contracts.roles.rules import CID, WORD, Rules, Scene, anyone, only


def prepare(scene: Scene) -> None:
    scene["base"] = register_base(scene.world)
    scene["model"] = register_model(scene.world, scene["base"])


NOT_OWNER = "ModelRegistryNotOwner"
RULES: Rules = {
    "registerBase": anyone(lambda s: [WORD, TOKENIZER, CID]),
    "registerModel": anyone(lambda s: [terms(s["base"], name="another"), True], paused="ModelRegistryPaused"),
    "setStatus": only("model_owner", NOT_OWNER, lambda s: [s["model"], 2]),
    "setPrice": only("model_owner", NOT_OWNER, lambda s: [s["model"], 1, 1, 1]),
}
