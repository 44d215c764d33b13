from pathlib import Path

import torch

from inference_worker.attribution.gradients import LoraProbe, lora_weights
from inference_worker.base.exchange import Exchange, common_prefix, mean_losses, prefix_states
from inference_worker.base.load import Base, load_base
from inference_worker.training import lora
from inference_worker.training.recipe import parse_recipe
from tests.inference_worker.attribution.random_adapter import random_adapter

ROWS = [
    Exchange((1, 5, 6, 7, 8), (9, 10, 2)),
    Exchange((1, 5, 6, 11), (12, 2)),
    Exchange((1, 5, 6, 7, 7, 7, 13), (14, 15, 16, 2)),
]
SHARED = common_prefix(ROWS)


def test_hooks_give_what_autograd_gives_row_by_row(tiny_base_dir: Path) -> None:
    """SPEC 5.20"""
    base = load_base(tiny_base_dir, verify=False)
    wrapped = lora.attach(base.model, parse_recipe({"rank": 4, "alpha": 8}))
    parameters = lora.trainable(wrapped)
    for number, parameter in enumerate(parameters.values()):
        torch.nn.init.normal_(parameter, std=0.2, generator=torch.Generator().manual_seed(number))
    inner = wrapped.get_base_model()
    for shared in ((), SHARED):
        with torch.no_grad():
            states = prefix_states(inner, shared)
        expected = []
        for row in ROWS:
            wrapped.zero_grad()
            mean_losses(inner, [row], len(shared), states).sum().backward()
            expected.append(
                {name: p.grad.flatten().clone() for name, p in parameters.items() if p.grad is not None}
            )
        clean = load_base(tiny_base_dir, verify=False)
        probe = LoraProbe(clean.model, [lora_weights(lora.adapter_tensors(wrapped), 2.0)])
        found, _ = probe.gradients(ROWS, len(shared), probe.states(shared))
        for row, reference in zip(found, expected, strict=True):
            whole = torch.cat([reference[name] for name in probe.tracked_names()])
            torch.testing.assert_close(row, whole, atol=1e-4, rtol=1e-3)


def test_a_batch_of_adapters_equals_each_alone(tiny_base: Base) -> None:
    """SPEC 5.20"""
    adapters = [random_adapter(tiny_base.model, seed=seed) for seed in range(3)]
    together = LoraProbe(tiny_base.model, adapters)
    found, losses = together.gradients([ROWS[0]] * 3, len(SHARED), together.states(SHARED))
    for number, adapter in enumerate(adapters):
        alone = LoraProbe(tiny_base.model, [adapter])
        single, loss = alone.gradients([ROWS[0]], len(SHARED), alone.states(SHARED))
        torch.testing.assert_close(found[number], single[0], atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(losses[number], loss[0], atol=1e-5, rtol=1e-4)


def test_lower_layers_can_be_left_out(tiny_base: Base) -> None:
    adapter = random_adapter(tiny_base.model)
    whole, upper = LoraProbe(tiny_base.model, [adapter]), LoraProbe(tiny_base.model, [adapter], first_layer=1)
    all_of_it, _ = whole.gradients(ROWS, 0, ())
    tail, _ = upper.gradients(ROWS, 0, ())
    assert tail.shape[1] == upper.parameter_count() < whole.parameter_count()
    torch.testing.assert_close(all_of_it[:, -tail.shape[1] :], tail)


def test_the_base_is_left_as_it_was(tiny_base: Base) -> None:
    """SPEC 5.20"""
    ids = torch.tensor([[1, 5, 6, 7]])
    before = tiny_base.model(ids).logits
    probe = LoraProbe(tiny_base.model, [random_adapter(tiny_base.model)])
    probe.gradients(ROWS, 0, ())
    with probe.active():
        assert not torch.equal(tiny_base.model(ids).logits, before)
    assert torch.equal(tiny_base.model(ids).logits, before)
    assert all(p.grad is None for p in tiny_base.model.parameters())
