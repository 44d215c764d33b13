"""The logits that chose each token of a running engine, as the fixture `chosen_from` records them."""

import torch


def taken(seen):
    """The recorded logits of each request, in order, and a clean record."""
    result = {seed: torch.stack([rows[i] for i in range(len(rows))]) for seed, rows in seen.items()}
    seen.clear()
    return result


def assert_same(one, other):
    assert one.keys() == other.keys()
    for seed in one:
        assert torch.equal(one[seed], other[seed]), seed
