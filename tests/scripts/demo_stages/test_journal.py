from pathlib import Path

import pytest

from scripts.demo_stages.journal import Journal


async def test_a_finished_step_is_not_run_again_after_a_restart(tmp_path: Path) -> None:
    """SPEC 0.80: an interrupted demo goes on where it stopped."""
    runs: list[str] = []

    async def work() -> dict[str, int]:
        runs.append("ran")
        return {"rows": 3}

    for _ in range(3):
        assert await Journal(tmp_path / "journal.json").once("datanet", work) == {"rows": 3}
    assert runs == ["ran"]


async def test_a_step_that_fails_is_not_recorded(tmp_path: Path) -> None:
    async def work() -> None:
        raise RuntimeError("cut off")

    journal = Journal(tmp_path / "journal.json")
    with pytest.raises(RuntimeError, match="cut off"):
        await journal.once("training", work)
    assert "training" not in Journal(tmp_path / "journal.json")
