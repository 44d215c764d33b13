"""How a contract's table says who may call what.

A table is `RULES`: a function's name (its signature where the name has several) -> a rule. `prepare(scene)`,
if the module has one, makes the things that its arguments name. `prepare_last` is for what time would end.
The runner is tests/contracts/governance/test_roles.py.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from scripts.deployment_plan import ORDER
from tests.contracts.world import World


@dataclass
class Scene:
    """The deployed suite with one thing of each kind in it, none of them the stranger's."""

    world: World
    things: dict[str, Any] = field(default_factory=dict)

    def at(self, name: str) -> str:
        """The checksum address of an actor or a contract."""
        if name in self.world.signers:
            return self.world.address(name)
        return self.world.checksum(self.world.record["contracts"][name])

    def __getitem__(self, name: str) -> Any:
        return self.things[name]

    def __setitem__(self, name: str, thing: Any) -> None:
        self.things[name] = thing


Arguments = Callable[[Scene], list[Any]]


@dataclass(frozen=True)
class Rule:
    """`by`: who may, by actor or contract; None for everyone. `refusal`: the error that all others meet, or
    several with | between.

    `tried_by`: the one whose call shows that it works. `meets`: the error that even that call meets in the
    scene, after every check on who is asking; empty where it succeeds. `paused`: the error that it meets
    instead while everything that can be paused is; empty where a pause changes nothing.
    """

    arguments: Arguments
    by: tuple[str, ...] | None
    refusal: str
    tried_by: str
    meets: str
    paused: str


Rules = dict[str, Rule]


def anyone(arguments: Arguments, *, by: str = "stranger", meets: str = "", paused: str = "") -> Rule:
    """For everyone: it acts on the caller's own money or word, or is proven by its arguments."""
    return Rule(arguments, None, "", by, meets, paused)


def only(
    by: str | Iterable[str], refusal: str, arguments: Arguments, *, meets: str = "", paused: str = ""
) -> Rule:
    """For these alone (contracts not deployed left out); the first of them shows that it works."""
    named = (by,) if isinstance(by, str) else tuple(by)
    present = tuple(name for name in named if name in ORDER or name[0].islower())
    return Rule(arguments, present, refusal, present[0] if present else "", meets, paused)


def nobody(refusal: str, arguments: Arguments) -> Rule:
    """For no account at all, nor any contract of the suite."""
    return Rule(arguments, (), refusal, "", refusal, "")


WORD = b"\x01" * 32
CID = b"\x01"
