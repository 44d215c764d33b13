"""The plan of the benchmark is coherent: every goal can be measured by somebody."""

from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.openlora.__main__ import chosen
from benchmarks.openlora.suites import Inputs, Suite, mixed, registered, storm

INPUTS = Inputs(Path("base"), Path("base.gguf"), tuple(Path(f"a{n}") for n in range(32)), 9, 3)
BUILDERS = pytest.mark.parametrize("build", [mixed, registered, storm])


@BUILDERS
def test_engines_run_known_cases_under_distinct_names(build: Callable[[Inputs], Suite]) -> None:
    suite = build(INPUTS)
    names = [case.name for case in suite.cases]
    assert len(set(names)) == len(names)
    assert set(suite.runs) == {engine.name for engine in suite.engines}
    assert set().union(*suite.runs.values()) == set(names)


@BUILDERS
def test_both_sides_of_every_goal_are_measured(build: Callable[[Inputs], Suite]) -> None:
    suite = build(INPUTS)
    assert suite.goals
    for goal in suite.goals:
        for figure in (goal.over, goal.under):
            assert figure.case in suite.runs[figure.engine], goal.title


@BUILDERS
def test_nobody_is_asked_for_an_adapter_it_does_not_have(build: Callable[[Inputs], Suite]) -> None:
    suite = build(INPUTS)
    for engine in suite.engines:
        held = int(engine.options.get("registered", len(engine.options["folders"])))
        for case in suite.cases:
            if case.name in suite.runs[engine.name]:
                most = max((a for a in case.adapters if a is not None), default=-1)
                assert most < max(held, case.registered), (engine.name, case.name)


@BUILDERS
def test_ours_runs_whichever_peers_are_chosen(build: Callable[[Inputs], Suite]) -> None:
    suite = build(INPUTS)
    assert [e.name for e in chosen(suite, "none", False).engines] == ["ours"]
    assert chosen(suite, "all", False) == suite
    assert all(e.name == "ours" or "peft" in e.name.lower() for e in chosen(suite, "peft", False).engines)


@BUILDERS
def test_goals_alone_need_no_more_than_their_own_cases(build: Callable[[Inputs], Suite]) -> None:
    suite = build(INPUTS)
    reduced = chosen(suite, "all", True)
    ran = {(engine.name, case) for engine in reduced.engines for case in reduced.runs[engine.name]}
    assert ran == {(f.engine, f.case) for goal in suite.goals for f in (goal.over, goal.under)}
