import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from inference_worker.attribution.sketch import QUANTUM_BITS, counter_hash, make_sketch, seed_of


def test_the_hash_is_splitmix64() -> None:
    """SPEC 5.21: the reference outputs of SplitMix64 for seed 1234567."""
    expected = [6457827717110365317, 3203168211198807973, 9817491932198370423]
    assert counter_hash(1234567, 3).tolist() == expected


@settings(max_examples=25, deadline=None)
@given(length=st.integers(1, 3000), width=st.sampled_from([16, 64]), seed=st.integers(0, 2**64 - 1))
def test_every_coordinate_lands_once(length: int, width: int, seed: int) -> None:
    """SPEC 5.21"""
    sketch = make_sketch(seed, length, width)
    assert sorted(sketch.source.tolist()) == list(range(-(-length // width) * width))
    assert set(sketch.sign.tolist()) <= {1.0, -1.0} and len(sketch.sign) == length


def test_sums_are_exact_and_so_free_of_order() -> None:
    """SPEC 5.21"""
    length, width = 5000, 64
    sketch = make_sketch(3, length, width)
    row = torch.randn(length, generator=torch.Generator().manual_seed(1))
    found = sketch.fold(row[None], torch.ones(length))[0]
    unit = 2.0 ** (QUANTUM_BITS - torch.frexp(row.abs().max())[1].item())
    whole = [round(float(v) * unit) for v in row * sketch.sign]
    buckets = [0] * width
    for bucket, coordinate in enumerate(sketch.source.tolist()):
        if coordinate < length:
            buckets[bucket % width] += whole[coordinate]
    assert [float(b) / unit for b in buckets] == found.tolist()


def test_inner_products_survive() -> None:
    """SPEC 5.21"""
    length = 200_000
    generator = torch.Generator().manual_seed(2)
    a = torch.randn(length, generator=generator)
    b = 0.5 * a + torch.randn(length, generator=generator)
    sketch = make_sketch(seed_of(b"\x01" * 32), length, 1024)
    folded = sketch.fold(torch.stack([a, b]), torch.ones(length))
    cosine = float(folded[0] @ folded[1] / folded[0].norm() / folded[1].norm())
    exact = float(a @ b / a.norm() / b.norm())
    # The standard error of a sketched cosine is about 1/sqrt(width) = 0.03.
    assert abs(cosine - exact) < 0.12


def test_a_zero_gradient_stays_zero() -> None:
    assert not make_sketch(0, 100, 16).fold(torch.zeros(1, 100), torch.ones(100)).any()
