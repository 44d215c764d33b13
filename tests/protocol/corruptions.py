"""Single changes to an honest report, each with the proofs of which at least one must then win."""

from collections.abc import Callable, Iterator
from dataclasses import replace

from protocol.lane_lists import LaneLists, read_span
from protocol.lanes import MAX_SPANS
from protocol.manifest import GRANTED
from protocol.report_evidence import Opened
from tests.protocol.records import account, word
from tests.protocol.scenes import Scene

Corruption = tuple[str, Opened, set[str]]
SHARES = {"proveWrongShares"}


def corruptions(scene: Scene) -> Iterator[Corruption]:
    """(name, the spoiled report, the functions of which one must accept it)."""
    yield from _entries(scene)
    yield from _units(scene)
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
    "gradient scores, with the shares that follow": lambda scene: scene.relisted(
        _with(scene.report.lists, gradient=(1 << 64 | 7,))
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
