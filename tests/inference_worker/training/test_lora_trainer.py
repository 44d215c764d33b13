from pathlib import Path

import pytest
import torch

from inference_worker.base.load import Base, load_base
from inference_worker.errors import CheckpointInvalid
from inference_worker.training.checkpoint import CheckpointFolder
from inference_worker.training.examples import Example, make_example
from inference_worker.training.lora_trainer import LoraTrainer, StepReport, part_ends, rate_at
from inference_worker.training.recipe import parse_recipe

RECIPE = parse_recipe(
    {"rank": 4, "alpha": 8, "passes": 3, "batch": 4, "learning_rate": "0.01", "checkpoints": 2}
)


class Killed(Exception):
    """Stands for the end of the process between two steps."""


def examples(base: Base) -> list[Example]:
    texts = [
        ("one", " A1"),
        ("two words", " B2"),
        ("three", " C3"),
        ("four four", " D4"),
        ("five", " E5"),
        ("six", " F6"),
    ]
    return [make_example(base.tokenizer, n, q, a, 64) for n, (q, a) in enumerate(texts)]


def train(folder: Path, base: Base, kill_after: int | None = None) -> dict[str, torch.Tensor]:
    folder.mkdir(exist_ok=True)
    trainer = LoraTrainer(base.model, examples(base), RECIPE, CheckpointFolder(folder, "run"), every=2)

    def on_step(report: StepReport) -> None:
        if report.step == kill_after:
            raise Killed

    return trainer.run(on_step)


@pytest.mark.parametrize("kill_after", [1, 3, 4, 5])
def test_a_killed_run_ends_in_the_same_bits(tiny_base_dir: Path, tmp_path: Path, kill_after: int) -> None:
    """SPEC 2.28"""
    whole = train(tmp_path / "whole", load_base(tiny_base_dir, verify=False))
    with pytest.raises(Killed):
        train(tmp_path / "killed", load_base(tiny_base_dir, verify=False), kill_after)
    resumed = train(tmp_path / "killed", load_base(tiny_base_dir, verify=False))
    assert whole.keys() == resumed.keys()
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)


def test_snapshots_survive_the_kill_too(tiny_base_dir: Path, tmp_path: Path) -> None:
    """SPEC 2.28"""
    found = []
    for name, kill in (("whole", None), ("killed", 3)):
        if kill:
            with pytest.raises(Killed):
                train(tmp_path / name, load_base(tiny_base_dir, verify=False), kill)
        base = load_base(tiny_base_dir, verify=False)
        trainer = (
            LoraTrainer(base.model, examples(base), RECIPE, CheckpointFolder(tmp_path / name, "run"), every=2)
            if kill
            else None
        )
        if trainer is None:
            (tmp_path / name).mkdir()
            trainer = LoraTrainer(
                base.model, examples(base), RECIPE, CheckpointFolder(tmp_path / name, "run"), every=2
            )
        trainer.run(lambda _: None)
        found.append(trainer.snapshots())
    for a, b in zip(*found, strict=True):
        assert a.mean_rate == b.mean_rate
        assert all(torch.equal(a.second_moment[n], b.second_moment[n]) for n in a.second_moment)
        assert all(torch.equal(a.adapter[n], b.adapter[n]) for n in a.adapter)


def test_training_lowers_the_loss_and_gives_the_base_back(tiny_base: Base, tmp_path: Path) -> None:
    """SPEC 2.28"""
    before = {name: value.clone() for name, value in tiny_base.model.state_dict().items()}
    losses: list[float] = []
    trainer = LoraTrainer(tiny_base.model, examples(tiny_base), RECIPE, CheckpointFolder(tmp_path, "run"))
    adapter = trainer.run(lambda report: losses.append(report.loss))
    assert losses[-1] < losses[0] and len(losses) == trainer.steps == 6
    assert any(bool(value.abs().max() > 0) for name, value in adapter.items() if "lora_B" in name)
    after = trainer.detach().state_dict()
    assert before.keys() == after.keys() and all(torch.equal(before[n], after[n]) for n in before)


def test_a_checkpoint_of_other_data_is_refused(tiny_base_dir: Path, tmp_path: Path) -> None:
    """SPEC 2.28"""
    with pytest.raises(Killed):
        train(tmp_path, load_base(tiny_base_dir, verify=False), 4)
    with pytest.raises(CheckpointInvalid):
        CheckpointFolder(tmp_path, "another run").load()


def test_rates_warm_up_and_fall() -> None:
    rates = [rate_at(step, 100, 1.0) for step in range(100)]
    assert 0 < rates[0] < rates[4] and rates[5:] == sorted(rates[5:], reverse=True) and rates[-1] > 0
    assert part_ends(100, 3) == [34, 67, 100] and part_ends(100, 1) == [34] and part_ends(1, 3) == [1]
