"""The sets stay what they were when seeds were committed."""

from collections import Counter

import pytest

from benchmarks.attribution.phenotypes import branches, read_terms
from benchmarks.attribution.rows import shuffled
from benchmarks.attribution.sentences import TRANSFORMATIONS
from benchmarks.attribution.sets import row_set

DIGESTS = {
    "sent": "ca3b761a8581c43d026b00ee26ca555cc0a1a92f84a35d82691267ba968e4ba4",
    "math": "d8cd7cabf39db153f4a31dfa69533ed17d88428dacb75f4fca996f36e8977fd5",
}

ONTOLOGY = """format-version: 1.2

[Term]
id: HP:0000118
name: Phenotypic abnormality

[Term]
id: HP:1
name: Of the eye
is_a: HP:0000118 ! Phenotypic abnormality

[Term]
id: HP:2
name: Of the ear
is_a: HP:0000118 ! Phenotypic abnormality

[Term]
id: HP:3
name: Of the eye alone
def: "A definition of quite the right length, with a \\"quoted\\" word in it." [https://example.org]
is_a: HP:1 ! Of the eye

[Term]
id: HP:4
name: Of both
def: "A definition of quite the right length, for something that is twofold." [https://example.org]
is_a: HP:1 ! Of the eye
is_a: HP:2 ! Of the ear

[Term]
id: HP:5
name: No more
def: "A definition of quite the right length, for something that is obsolete." [https://example.org]
is_a: HP:2 ! Of the ear
is_obsolete: true

[Typedef]
id: has_part
"""


@pytest.mark.parametrize("name", DIGESTS)
def test_sets_are_those_of_the_committed_seeds(name: str) -> None:
    rows = row_set(name)
    assert rows.digest() == DIGESTS[name]
    assert set(Counter(row.contributor for row in rows.train).values()) == {30}
    assert set(Counter(row.contributor for row in rows.queries).values()) == {10}
    assert not set(rows.train) & set(rows.queries)


def test_responses_are_the_named_transformations() -> None:
    rows = row_set("sent")
    for row in (*rows.train, *rows.queries):
        title, sentence = row.prompt.removesuffix("\nResult:").split(".\nSentence: ")
        assert title == rows.names[row.contributor]
        assert row.response == " " + TRANSFORMATIONS[title](sentence)


def test_answers_of_word_problems_follow_from_their_reasoning() -> None:
    for row in row_set("math").train:
        reasoning, answer = row.response.split(" Answer: ")
        assert reasoning.rstrip(".").endswith(f"= {answer}")


def test_a_term_belongs_to_the_one_branch_it_lies_in() -> None:
    terms = read_terms(ONTOLOGY)
    assert terms["HP:3"].definition.endswith('with a "quoted" word in it.')
    assert "HP:5" not in terms
    assert {top: [t.id for t in found] for top, found in branches(terms).items()} == {
        "HP:1": ["HP:3"],
        "HP:2": [],
    }


def test_shuffles_are_permutations_that_the_label_decides() -> None:
    assert sorted(shuffled("a", 50)) == list(range(50))
    assert shuffled("a", 50) == shuffled("a", 50) != shuffled("b", 50)
