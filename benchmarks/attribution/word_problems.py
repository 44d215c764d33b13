"""The set `math`: ten types of word problem with a line of reasoning before the answer, after the description
in the DataInf paper (Kwon et al., 2024, section 5); stories and names are our own.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from benchmarks.attribution.rows import Draw, RowSet, drawn_set

_NAMES = (
    "Amina", "Bruno", "Chloe", "Dmitri", "Elena", "Farid", "Greta", "Hugo", "Ines", "Jonas", "Keiko", "Liam",
    "Mira", "Nikos", "Oksana", "Petra",
)  # fmt: skip

# A name and three numbers to a question, the reasoning, and the answer.
Problem = Callable[[str, int, int, int], tuple[str, str, int]]

PROBLEMS: dict[str, Problem] = {
    "pizza": lambda who, a, b, c: (
        f"{who} orders a pizza cut into {a + b} slices, and guests eat {a}. How many slices remain?",
        f"Of {a + b} slices {a} are gone, so {a + b} - {a} = {b}.", b,
    ),
    "chaperones": lambda who, a, b, c: (
        f"{who} takes {a * c} pupils to a museum, with one adult for every {c}. How many adults come along?",
        f"Groups of {c} out of {a * c} pupils: {a * c} / {c} = {a}.", a,
    ),
    "legs": lambda who, a, b, c: (
        f"{who} keeps {a} hens and {b} sheep. How many legs do the animals have together?",
        f"Hens have 2 legs and sheep have 4: 2 * {a} + 4 * {b} = {2 * a + 4 * b}.", 2 * a + 4 * b,
    ),
    "rectangle": lambda who, a, b, c: (
        f"{who} fences a plot {a} metres long and {b} metres wide. How long is the fence?",
        f"The perimeter is twice the sum of the sides: 2 * ({a} + {b}) = {2 * (a + b)}.", 2 * (a + b),
    ),
    "speed": lambda who, a, b, c: (
        f"{who} cycles at {a} km per hour for {c} hours. What distance is covered?",
        f"Distance equals speed times time: {a} * {c} = {a * c}.", a * c,
    ),
    "discount": lambda who, a, b, c: (
        f"A lamp costs ${10 * a + b} and {who} has a voucher worth ${b}. What is left to pay?",
        f"The voucher is taken off the price: {10 * a + b} - {b} = {10 * a}.", 10 * a,
    ),
    "wages": lambda who, a, b, c: (
        f"{who} earns ${b} an hour and works {a} hours plus a tip of ${c}. What is the pay?",
        f"Hours times wage plus tip: {a} * {b} + {c} = {a * b + c}.", a * b + c,
    ),
    "average": lambda who, a, b, c: (
        f"{who} scored {a} and {a + 2 * b} points in two games. What is the mean score?",
        f"Half of the sum: ({a} + {a + 2 * b}) / 2 = {a + b}.", a + b,
    ),
    "age": lambda who, a, b, c: (
        f"{who} is {b} years old and an uncle is {a} years older. How old will the uncle be in {c} years?",
        f"The uncle is {b} + {a} = {a + b}; then {a + b} + {c} = {a + b + c}.", a + b + c,
    ),
    "books": lambda who, a, b, c: (
        f"A shelf holds {c} boards with {b} books each, and {who} borrows {c}. How many books stay?",
        f"There are {c} * {b} = {b * c} books; {b * c} - {c} = {b * c - c}.", b * c - c,
    ),
}  # fmt: skip


def word_problems(seed: int) -> RowSet:
    """The set; a contributor is a type of problem."""
    return drawn_set("math", seed, [(title, _draw(problem)) for title, problem in PROBLEMS.items()])


def _draw(problem: Problem) -> Draw:
    def draw(drawn: random.Random) -> tuple[str, str]:
        numbers = drawn.randint(3, 24), drawn.randint(3, 24), drawn.randint(2, 9)
        question, reason, answer = problem(drawn.choice(_NAMES), *numbers)
        return f"Problem: {question}\n", f"Reasoning: {reason} Answer: {answer}"

    return draw
