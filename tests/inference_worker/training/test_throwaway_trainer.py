from pathlib import Path

import pytest
import torch

from inference_worker.attribution.covariance import subset
from inference_worker.base.load import Base, load_base
from inference_worker.errors import CheckpointInvalid, RecipeInvalid
from inference_worker.training import throwaway_trainer
from inference_worker.training.examples import Example, make_example
from inference_worker.training.lora_trainer import LoraTrainer
from inference_worker.training.recipe import Recipe, parse_recipe
from inference_worker.training.throwaway_trainer import cost_of, steps_each, train_throwaways

SEED = 77
# Fewer adapters than a recipe may ask for: what is tested does not depend on their number.
RECIPE = Recipe(
    rank=2,
    batch=4,
    learning_rate="0.01",
    covariance_adapters=4,
    covariance_passes=2,
    covariance_layers=2,
)
TEXTS = [(f"thing {n}", f" {'ABCDEF'[n % 6]}{n}") for n in range(10)]


class Killed(Exception):
    """Stands for the end of the process between two steps."""


def examples(base: Base) -> list[Example]:
    return [make_example(base.tokenizer, n, q, a, 64) for n, (q, a) in enumerate(TEXTS)]


def train(base: Base, folder: Path, kill_at: int | None = None) -> list[dict[str, torch.Tensor]]:
    def on_step(done: int, _loss: float) -> None:
        if done == kill_at:
            raise Killed

    return train_throwaways(base.model, examples(base), RECIPE, SEED, folder, "run", on_step)


def test_each_adapter_is_the_trainers_own_on_its_half(tiny_base: Base, tmp_path: Path) -> None:
    """SPEC 5.148: in the uppermost layers alone; the base comes back as it was."""
    before = {name: value.clone() for name, value in tiny_base.model.state_dict().items()}
    found = train(tiny_base, tmp_path / "kept")
    after = tiny_base.model.state_dict()
    assert before.keys() == after.keys() and all(torch.equal(before[n], after[n]) for n in before)
    assert {int(name.split("layers.")[1].split(".")[0]) for name in found[0]} == {1, 2}

    rows = examples(tiny_base)
    half = [rows[place] for place in subset(SEED, 3, len(rows)).tolist()]
    folder = throwaway_trainer.CheckpointFolder(tmp_path, "alone")
    own = parse_recipe({"rank": 2, "batch": 4, "learning_rate": "0.01", "passes": 2})
    trainer = LoraTrainer(tiny_base.model, half, own, folder, layers=[1, 2])
    alone = trainer.run(lambda _: None)
    assert found[3].keys() == alone.keys()
    assert all(torch.equal(found[3][name], alone[name].half()) for name in alone)
    assert any(not torch.equal(found[2][name], found[3][name]) for name in alone)


@pytest.mark.parametrize("kill_at", [11])
def test_a_killed_run_ends_in_the_same_adapters(tiny_base_dir: Path, tmp_path: Path, kill_at: int) -> None:
    """SPEC 5.148: and what was done before the kill is not done again."""
    whole = train(load_base(tiny_base_dir, verify=False), tmp_path / "whole")
    with pytest.raises(Killed):
        train(load_base(tiny_base_dir, verify=False), tmp_path / "killed", kill_at)
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "killed").glob("*.safetensors")}
    assert len(kept) == (kill_at - 1) // steps_each(RECIPE, len(TEXTS))
    resumed = train(load_base(tiny_base_dir, verify=False), tmp_path / "killed")
    for one, other in zip(resumed, whole, strict=True):
        assert one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)
    assert all(path.stat().st_mtime_ns == when for path, when in kept.items())


def test_adapters_of_another_run_are_refused(tiny_base: Base, tmp_path: Path) -> None:
    """SPEC 5.148"""
    train(tiny_base, tmp_path)
    with pytest.raises(CheckpointInvalid):
        train_throwaways(
            tiny_base.model, examples(tiny_base), RECIPE, SEED, tmp_path, "other", lambda *_: None
        )


def test_what_it_will_take_is_known_before_and_refused_where_queries_could_not_hold_it(
    tiny_base: Base, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SPEC 5.149"""
    cost = cost_of(tiny_base.model, RECIPE, len(TEXTS))
    steps: list[int] = []
    found = train_throwaways(
        tiny_base.model,
        examples(tiny_base),
        RECIPE,
        SEED,
        tmp_path,
        "run",
        lambda done, _: steps.append(done),
    )
    assert steps == list(range(1, cost.steps + 1))
    size = sum(tensor.nbytes for adapter in found for tensor in adapter.values())
    assert cost.file_bytes == size and cost.resident_bytes == 2 * size
    monkeypatch.setattr(throwaway_trainer, "MAX_RESIDENT_BYTES", cost.resident_bytes - 1)
    with pytest.raises(RecipeInvalid, match="at most 1 "):
        cost_of(tiny_base.model, RECIPE, len(TEXTS))
