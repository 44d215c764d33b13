"""The table and the document say the same, and leave nothing out."""

from pathlib import Path

from benchmarks.openlora.case import Case, Sample
from benchmarks.openlora.goals import RATE, Figure, Goal
from benchmarks.openlora.journal import Entry, Journal
from benchmarks.openlora.process import Launch
from benchmarks.openlora.report import document, rows_of, table
from benchmarks.openlora.suites import Suite
from benchmarks.record import Machine

MACHINE = Machine("a processor", 2, 2**34, "6.1", "3.11", 0.5)
CASE = Case("batch 2, base only", (None, None), 6)
RATES = [(30.0, 10.0), (50.0, 25.0), (40.0, 16.0), (35.0, 15.0), (45.0, 17.0)]


def launch(name: str) -> Launch:
    return Launch(name, Path("python"), "none", {})


def suite() -> Suite:
    ours, peer, absent = Figure("ours", CASE.name), Figure("peer", CASE.name), Figure("absent", CASE.name)
    return Suite(
        "mixed",
        (launch("ours"), launch("peer"), launch("absent")),
        (CASE,),
        {name: frozenset({CASE.name}) for name in ("ours", "peer", "absent")},
        (Goal("over the peer", ours, peer, 1.5), Goal("over the absent", ours, absent, 1.5)),
    )


def filled(path: Path) -> Journal:
    journal = Journal(path)
    journal.add_failure("mixed", "absent", "no wheel for this machine")
    for number, (ours, peer) in enumerate(RATES, start=1):
        journal.finish_round(
            "mixed",
            [
                Entry("mixed", number, "ours", CASE.name, Sample({RATE: ours, "gap_p50_ms": 1.0})),
                Entry("mixed", number, "peer", CASE.name, Sample({RATE: peer})),
            ],
        )
    return journal


def test_rows_stand_in_the_order_of_the_suite_with_their_spread(tmp_path: Path) -> None:
    rows = [r for r in rows_of([suite()], filled(tmp_path / "run.jsonl")) if r.figure == RATE]
    assert [(r.engine, r.spread.low, r.spread.median, r.spread.high, r.spread.n) for r in rows] == [
        ("ours", 30.0, 40.0, 50.0, 5),
        ("peer", 10.0, 16.0, 25.0, 5),
    ]


def test_the_document_holds_every_figure_goal_and_reason(tmp_path: Path) -> None:
    found = document([suite()], filled(tmp_path / "run.jsonl"), MACHINE, "abc", {"rounds": 3})
    assert [(r["engine"], r["figure"]) for r in found["rows"]] == [
        ("ours", RATE),
        ("ours", "gap_p50_ms"),
        ("peer", RATE),
    ]
    met, missing = found["goals"]
    assert (met["ratio"]["median"], met["verdict"], met["rounds"]) == (2.5, "beats the goal", 5)
    assert (missing["ratio"], missing["verdict"]) == (None, "not measured")
    assert found["not_run"] == {"absent in mixed": "no wheel for this machine"}
    assert (found["commit"], found["rounds"], found["machine"]["cpu"]) == ("abc", 3, "a processor")


def test_the_table_names_goals_spreads_and_who_did_not_run(tmp_path: Path) -> None:
    text = table([suite()], filled(tmp_path / "run.jsonl"), MACHINE, "abc", ["a remark"])
    lines = text.splitlines()
    assert any(line.split()[-5:] == ["5", "30.0", "40.0", "50.0", "tok/CPU-s"] for line in lines)
    assert any("over the peer" in line and line.endswith("beats the goal") for line in lines)
    assert any("over the absent" in line and line.endswith("not measured") for line in lines)
    assert "not run: absent in mixed: no wheel for this machine" in lines
    assert lines[-1] == "a remark"
