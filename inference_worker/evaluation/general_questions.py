"""Questions of general knowledge with their answers, committed: what no specialised Datanet should be paid
for.

The answers are given and not generated. A specialist may answer anything in its own manner, and that manner
is owed to its rows; these sentences are owed to nobody's.
"""

from __future__ import annotations

from pathlib import Path

from inference_worker.evaluation.held_out import Question

FILE = Path(__file__).with_name("general_questions.txt")


def general_questions() -> tuple[Question, ...]:
    """One question to a line of the file, its answer after a tab."""
    lines = FILE.read_text(encoding="utf-8").splitlines()
    return tuple(Question(*line.split("\t")) for line in lines)
