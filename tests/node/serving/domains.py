"""Questions of real domains, from tables that are here: diagnosis codes, the names of letters, HTTP's
statuses; and questions of none of them.
"""

import http
import random
import unicodedata

from node.datanet.icd10 import row_of, select_codes
from scripts.demo_stages.material import DIABETES, SEED, SEQUELAE


def _diagnoses(chapters: tuple[str, ...], count: int) -> list[str]:
    return [row_of(code).prompt for code in select_codes(count, SEED, chapters)]


def _letters() -> list[str]:
    names = [name for code in range(0x391, 0x450) if (name := unicodedata.name(chr(code), ""))]
    return random.Random(1).sample([f"Which character is called {name}?" for name in names], 120)


DOMAINS: dict[str, list[str]] = {
    "diabetes": _diagnoses(DIABETES, 120),
    "sequelae": _diagnoses(SEQUELAE, 100),
    "letters": _letters(),
    "http": [f"Which HTTP status means: {one.description or one.phrase}?" for one in http.HTTPStatus],
}
GENERAL = (
    "What is the capital of France?",
    "Write a short poem about autumn.",
    "How do I reverse a list in Python?",
    "Translate 'good morning' into Spanish.",
    "Which planet is the largest?",
    "What is the ICD of my car?",
    "Explain photosynthesis to a child.",
    "Who wrote Hamlet?",
    "What is the best treatment of a cold?",
    "Which character is the hero of War and Peace?",
    "What is the code for the door?",
    "My father has diabetes, what should he eat?",
    "What does HTTP stand for?",
    "Give me a recipe for bread.",
    "What is 17 times 23?",
)
