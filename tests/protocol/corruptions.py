"""Single changes to an honest report, each with the proofs of which at least one must then win."""

from collections.abc import Callable, Iterator
from dataclasses import replace

from protocol.influence import ScoredRow
from protocol.influence_list import influence_words
from protocol.lane_lists import LaneLists, read_span
from protocol.lanes import MAX_SPANS
from protocol.manifest import GRANTED
from protocol.query_code import row_of
from protocol.report_evidence import Opened
from protocol.types import MAX_UINT64
from tests.protocol.records import account, word
from tests.protocol.scenes import Scene

Corruption = tuple[str, Opened, set[str]]
SHARES = {"proveWrongShares"}


def corruptions(scene: Scene) -> Iterator[Corruption]:
    """(name, the spoiled report, the functions of which one must accept it)."""
    yield from _entries(scene)
    yield from _units(scene)
    yield from _scores(scene)
    yield from _words(scene)
    yield from _spans(scene)
    yield from _receipts(scene)


def _entries(scene: Scene) -> Iterator[Corruption]:
    stated = scene.report.stated
    first, last = stated[0], stated[-1]
    yield "more ppm", scene.opened((replace(first, ppm=first.ppm + 1), *stated[1:])), SHARES
    yield "entry dropped", scene.opened(stated[1:]), SHARES
    yield "entry added", scene.opened((first, *stated)), SHARES
    yield "nothing attributed at all", scene.opened((replace(last, ppm=10**6),)), SHARES
    yield "all to a friend", scene.opened((replace(first, ppm=10**6), replace(last, ppm=0))), SHARES
    yield "residual dropped", scene.opened(stated[:-1]), SHARES
    yield "residual with an owner", scene.opened((*stated[:-1], replace(last, owner=account(9)))), SHARES
    yield "another owner", scene.opened((replace(first, owner=account(99)), *stated[1:])), {"proveWrongRow"}
    yield "another lane", scene.opened((replace(first, lane=7), *stated[1:])), SHARES  # type: ignore[arg-type]
    yield "another row", scene.opened((replace(first, row=first.row + 1), *stated[1:])), SHARES
    foreign = replace(first, row=len(scene.manifest.rows))
    yield "a row outside", scene.opened((foreign, *stated[1:])), {"proveForeignRow"}
    if len(stated) > 2:
        yield "entries swapped", scene.opened((stated[1], first, *stated[2:])), SHARES


def _units(scene: Scene) -> Iterator[Corruption]:
    lists = scene.report.lists
    gradient = lists.gradient
    yield (
        "other units",
        scene.opened(lists=_with(lists, gradient=(gradient[0] ^ 1 << 40, *gradient[1:]))),
        SHARES,
    )
    yield "lane hidden", scene.opened(lists=_with(lists, gradient=(0,))), SHARES
    yield "lane unused", scene.opened(lists=_with(lists, gradient=())), SHARES
    yield (
        "retrieval used",
        scene.opened(lists=_with(lists, retrieval=(*lists.retrieval, 0)[:1] or (0,))),
        SHARES,
    )
    unsorted = (gradient[0], *reversed(gradient[1:]))
    if len(gradient) > 2:
        yield "unsorted", scene.opened(lists=_with(lists, gradient=unsorted)), SHARES
    many = (gradient[0], *((100 + row) << 64 | 1 for row in range(21)))
    yield "twenty-one rows", scene.opened(lists=_with(lists, gradient=many)), SHARES
    huge = (gradient[0], 1 << 53)
    yield "units too large", scene.opened(lists=_with(lists, gradient=huge)), SHARES
    silent = (5, *gradient[1:])
    yield "found without running", scene.opened(lists=_with(lists, gradient=silent)), SHARES
    copy = next((row for row in scene.manifest.rows if row.cluster != row.index), None)
    if copy is not None:
        lie = (1 << 64, copy.index << 64 | 5)
        yield "a copy earns", scene.relisted(_with(lists, gradient=lie)), {"proveWrongRow"}
    yield (
        "a withdrawn row earns",
        scene.relisted(_with(lists, gradient=(1 << 64, 1 << 64 | 5))),
        {"proveWrongRow"},
    )


def _scores(scene: Scene) -> Iterator[Corruption]:
    """Lies about scores whose units and shares follow from them."""
    told = scene.scored.influence
    first, *rest = told.rows

    def lie(name: str, *rows: ScoredRow, functions: set[str]) -> Corruption:
        ordered = tuple(sorted(rows, key=lambda row: row.canonical))
        return name, scene.rescored(replace(told, rows=ordered)), functions

    score, omitted, cluster = {"proveWrongScore"}, {"proveOmittedRow"}, {"proveWrongCluster"}
    yield lie("a higher score", replace(first, score=first.score + 1), *rest, functions=score)
    yield lie("a row left out", *rest, functions=omitted)
    yield lie("all rows left out", functions=omitted)
    last = len(scene.scored.leaves.records)
    yield lie("a leaf past the last", replace(first, leaf=last + 1), *rest, functions=score)
    yield lie("another leaf", replace(first, leaf=first.leaf % last + 1), *rest, functions=score)
    yield lie("a decoy's leaf", replace(first, leaf=1), *rest, functions=score)
    member = (first.member + 1) % len(scene.rows)
    yield lie("another member", replace(first, member=member), *rest, functions=score | cluster)
    outside = replace(first, member=len(scene.rows))
    yield lie("a member outside", outside, *rest, functions=score | cluster)
    free = [row.index for row in scene.manifest.rows if row.index not in {one.canonical for one in told.rows}]
    if free:
        yield lie("another cluster", replace(first, canonical=free[0]), *rest, functions=cluster)
    silent = [leaf for leaf, record in enumerate(scene.scored.leaves.records, 1) if record[4] == 0]
    if silent and free:
        row = row_of(scene.scored.leaves.records[silent[0] - 1])
        loud = ScoredRow(free[0], row, silent[0], told.measured.threshold + 1)
        yield lie("a row that may not earn", *told.rows, loud, functions=score)
    of_another = replace(told, index_root=word("another index"))
    yield "another index", scene.rescored(of_another), {"proveWrongIndex"}


def _words(scene: Scene) -> Iterator[Corruption]:
    """Units that do not follow from what is listed."""
    lists, told = scene.report.lists, scene.scored.influence
    units = {"proveWrongUnits"}
    for name, change in (
        ("threshold", {"threshold": told.measured.threshold - 1}),
        ("chance", {"chance": told.measured.chance + 10**12}),
        ("gain", {"gain": told.measured.gain + 10**6}),
        ("floor", {"floor": told.measured.floor + 10**6}),
        ("shrinkage", {"kappa_ppm": 600_000}),
    ):
        other = influence_words([replace(told, measured=replace(told.measured, **change))])
        yield f"another {name}", scene.opened(lists=_with(lists, influence=other)), units
    yield "no scores", scene.opened(lists=_with(lists, influence=())), units
    yield "a word more", scene.opened(lists=_with(lists, influence=(*lists.influence, 0))), units
    yield "a word less", scene.opened(lists=_with(lists, influence=lists.influence[:-1])), units
    twice = lists.influence * 2
    yield "twice", scene.opened(lists=_with(lists, influence=twice)), {"proveWrongIndex"}
    head, one, *rest = lists.gradient
    if scene.manifest.rows[one >> 64].consent == GRANTED:
        withheld = (head + (one & MAX_UINT64), *rest)
        yield "withheld", scene.relisted(_with(lists, gradient=withheld)), {"proveWithheldRow"}
    yield "given on", scene.relisted(_with(lists, gradient=(head - 1, one + 1, *rest))), units
    yield "kept back", scene.relisted(_with(lists, gradient=(head + 1, one, *rest))), units


def _spans(scene: Scene) -> Iterator[Corruption]:
    """Lies whose shares follow from them, so that only the span itself gives them away."""
    lists = scene.report.lists
    span = lists.span
    if len(span) < 2:
        return

    def lie(name: str, words: tuple[int, ...], *functions: str) -> Corruption:
        return name, scene.relisted(_with(lists, span=words)), set(functions)

    head, one, rest = span[0], span[1], span[2:]
    found = read_span(one)
    assert found is not None
    moved = "proveFalseToken", "provePastRow", "proveMalformed", "proveOmission"
    yield lie("elsewhere in the row", (head, one + 1, *rest), *moved)
    yield lie("another row", (head, one ^ 1 << 33, *rest), *moved, "proveFalseCredit")
    yield lie("shifted in the output", (head, one + (1 << 96), *rest), *moved)
    granted = scene.manifest.rows[found.match.row].consent == GRANTED
    if found.match.length > 3 and granted:
        yield lie("shorter", (head, one - (1 << 64), *rest), "proveOmission", "proveMalformed")
    yield lie("far past the row", (head, one + 200, *rest), "provePastRow")
    yield lie("a row outside", (head, one | 0xFF << 32, *rest), "proveMalformed")
    yield lie("another cluster", (head, one ^ 1 << 128, *rest), "proveFalseCredit")
    yield lie("credit turned", (head, one ^ 1 << 160, *rest), "proveFalseCredit")
    yield lie("a stray bit", (head, one | 1 << 200, *rest), "proveMalformed")
    yield lie("listed twice", (head, one, one, *rest), "proveMalformed")
    if rest:
        yield lie("not in rank order", (head, *reversed(rest), one), "proveMalformed")
    if granted:
        yield lie("left out", (head, *rest), "proveOmission")
        yield lie("all left out", (head,), "proveOmission")
    too_many = tuple(one for _ in range(MAX_SPANS + 1))
    yield "sixty-five", scene.opened(lists=_with(lists, span=(head, *too_many))), {"proveMalformed"}
    yield "found without running", scene.opened(lists=_with(lists, span=(0, one))), {"proveMalformed"}
    long = one | 0xFFFF << 64
    yield "past the output", scene.opened(lists=_with(lists, span=(head, long))), {"proveMalformed"}


def _receipts(scene: Scene) -> Iterator[Corruption]:
    count = scene.receipt.output_tokens
    yield "more tokens", scene.relisted(scene.report.lists, output_tokens=count + 9), {"proveFalseCount"}
    yield "another version", scene.opened(datanet_version_key=(1 << 64) | 2), {"proveWrongVersion"}
    yield "an unknown model", scene.opened(model_id=77), {"proveWrongVersion"}
    yield "no such parameters", scene.opened(parameters_version=99), SHARES
    yield "parameters zero", scene.opened(parameters_version=0), SHARES


COMMITTEE_ONLY: dict[str, Callable[[Scene], Opened]] = {
    "chance, gain, floor and shrinkage, with the units that follow": lambda scene: scene.rescored(
        replace(
            scene.scored.influence,
            measured=replace(scene.scored.influence.measured, chance=7, gain=9, floor=11, kappa_ppm=13),
        )
    ),
    "a query's code that nobody can open": lambda scene: scene.rescored(
        replace(scene.scored.influence, query_code_hash=word("another code"))
    ),
    "a gradient that is said not to have been taken": lambda scene: scene.relisted(
        _with(scene.report.lists, gradient=(0,), influence=())
    ),
    "a lane that is said not to have run": lambda scene: scene.relisted(_with(scene.report.lists, span=(0,))),
    "nothing found, no lane used": lambda scene: scene.relisted(LaneLists()),
    "the prompt": lambda scene: scene.opened(prompt_digest=word("another prompt")),
    "the number of prompt tokens": lambda scene: scene.opened(prompt_tokens=999),
    "the method": lambda scene: scene.opened(method_id=word("another method")),
    "the hardware profile": lambda scene: scene.opened(profile_id=word("another profile")),
    "the time of the request": lambda scene: scene.opened(requested_at=7),
}
"""What no contract can tell from the truth: docs/SPEC.md 7.95."""


def _with(lists: LaneLists, **changes: tuple[int, ...]) -> LaneLists:
    return replace(lists, **changes)
