"""Jurors: whoever has the stake enrols and leaves; only the committee draws."""

from tests.contracts.roles.rules import WORD, Rules, anyone, only

RULES: Rules = {
    "enrol": anyone(lambda s: [], by="node"),
    "leave": anyone(lambda s: [], meets="JurorPoolNotEnrolled"),
    "sync": anyone(lambda s: [s.at("node")], meets="JurorPoolNotEnrolled"),
    "draw": only(
        "Committee",
        "JurorPoolNotCommittee",
        lambda s: [WORD, 1, (s.at("node"), s.at("stranger"), 1), 1],
    ),
}
