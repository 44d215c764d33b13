from pathlib import Path

import numpy as np
import pytest

from inference_worker.attribution.stacked_losses import StackedLosses
from inference_worker.base.exchange import Exchange
from inference_worker.base.load import Base
from inference_worker.training.loss_table import measure_losses
from tests.inference_worker.attribution.random_adapter import random_adapter

ROWS = [Exchange((1, 5, 6, 20 + n), (40 + n, 2)) for n in range(9)]


class Killed(Exception):
    """Stands for the end of the process between two rows."""


def test_a_killed_table_goes_on_at_its_row(tiny_base: Base, tmp_path: Path) -> None:
    """SPEC 5.148: also where the kill cut a row short, to the same bytes."""
    stacked = StackedLosses(tiny_base.model, [random_adapter(tiny_base.model, seed=n) for n in range(4)], ())
    whole = measure_losses(stacked, ROWS, tmp_path / "whole", lambda _: None)
    assert whole.shape == (9, 4) and np.isfinite(whole).all()

    def kill(done: int) -> None:
        if done == 5:
            raise Killed

    path = tmp_path / "killed"
    with pytest.raises(Killed):
        measure_losses(stacked, ROWS, path, kill)
    with path.open("ab") as torn:
        torn.write(b"\x01\x02\x03")
    counted: list[int] = []
    resumed = measure_losses(stacked, ROWS, path, counted.append)
    assert counted == [6, 7, 8, 9] and np.array_equal(resumed, whole)
    assert path.read_bytes() == (tmp_path / "whole").read_bytes()
