"""Our engine and PEFT in processes of their own, on a tiny base: they say the same, and failures are told."""

import sys
from pathlib import Path

import pytest

from benchmarks.openlora.case import Case
from benchmarks.openlora.folders import make_folders
from benchmarks.openlora.journal import Journal
from benchmarks.openlora.process import Launch, PeerFailed, PeerProcess
from benchmarks.openlora.rounds import Bounds, run_suite
from benchmarks.openlora.suites import Suite
from inference_worker.base.fingerprint import read_record
from inference_worker.engine.weights import read_shape
from tests.inference_worker.tiny_base import make_tiny_base

PYTHON = Path(sys.executable)
SECONDS = 300.0
MIXED = Case("mixed", (0, None, 2, 1, 2), 4)
BASE = Case("base", (None, None), 3)
QUIET = Case("quiet", (0, 1), 30)
LOUD = Case("loud", (0, 1), 30, loads_per_second=100.0)
MANY = Case("many", (0, 1), 30, registered=50)
ALL = (MIXED, BASE, QUIET, LOUD, MANY)


@pytest.fixture(scope="module")
def options(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    root = tmp_path_factory.mktemp("openlora")
    base = make_tiny_base(root)
    folders = make_folders(root / "adapters", 3, read_shape(base), str(read_record(base)["fingerprint"]))
    return {"base": str(base), "folders": [str(f) for f in folders], "registered": 3}


@pytest.fixture(scope="module")
def launches(options: dict[str, object]) -> tuple[Launch, ...]:
    """Ours, PEFT, one whose environment is absent, and one that the first case breaks."""
    return (
        Launch("ours", PYTHON, "ours", options),
        Launch("PEFT", PYTHON, "hugging", options),
        Launch("absent", Path("nowhere/bin/python"), "hugging", options),
        Launch("with one adapter", PYTHON, "hugging", {**options, "registered": 1}),
    )


@pytest.fixture(scope="module")
def journal(tmp_path_factory: pytest.TempPathFactory, launches: tuple[Launch, ...]) -> Journal:
    """Two rounds, read again from the file that they were kept in."""
    folder = tmp_path_factory.mktemp("runs")
    both = frozenset({MIXED.name, BASE.name})
    runs = {launch.name: both for launch in launches} | {"ours": frozenset(c.name for c in ALL)}
    suite = Suite("tiny", launches, ALL, runs)
    run_suite(suite, Journal(folder / "run.jsonl"), Bounds(2, SECONDS, SECONDS), folder, lambda line: None)
    return Journal(folder / "run.jsonl")


@pytest.mark.parametrize("case", [MIXED, BASE], ids=lambda c: c.name)
def test_ours_and_peft_produce_the_same_tokens(journal: Journal, case: Case) -> None:
    last = journal.last()
    assert last["ours", case.name] == last["PEFT", case.name]
    assert len(last["ours", case.name]) == case.rows


def test_every_round_has_every_figure(journal: Journal) -> None:
    measured = journal.measured()
    assert journal.rounds("tiny") == 2
    for figure, values in measured.items():
        if figure.engine in {"ours", "PEFT"}:
            assert set(values) == {1, 2}, figure
            assert min(values.values()) >= 0


def test_an_engine_that_cannot_run_is_named_with_its_reason(journal: Journal) -> None:
    assert set(journal.not_run) == {("absent", "tiny"), ("with one adapter", "tiny")}
    assert "not installed" in journal.not_run["absent", "tiny"]
    assert "non-existing" in journal.not_run["with one adapter", "tiny"]
    assert not any(figure.engine == "with one adapter" for figure in journal.measured())


@pytest.mark.parametrize("case", [LOUD, MANY], ids=lambda c: c.name)
def test_loads_and_registrations_change_no_token_of_a_running_stream(journal: Journal, case: Case) -> None:
    last = journal.last()
    assert last["ours", case.name] == last["ours", QUIET.name]


def test_a_process_that_dies_is_told_from_one_that_refuses(
    options: dict[str, object], tmp_path: Path
) -> None:
    dying = PeerProcess(Launch("dying", PYTHON, "ours", options), tmp_path)
    dying.close()
    with pytest.raises(PeerFailed, match="dying has ended"):
        dying.build(options, SECONDS)
    refusing = PeerProcess(Launch("refusing", PYTHON, "nosuch", options), tmp_path)
    try:
        with pytest.raises(PeerFailed, match="refusing: ModuleNotFoundError"):
            refusing.build(options, SECONDS)
    finally:
        refusing.close()
