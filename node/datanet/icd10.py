"""The ICD-10-CM code system: what a valid code is, and training rows drawn from the official tables.

The tables come with the `simple-icd-10-cm` package (US National Center for Health Statistics, public domain).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from functools import cache

import simple_icd_10_cm as icd

from node.errors import InvalidInput
from protocol.manifest import Row

NAME = "icd-10-cm"
PROMPT = "Description: {description}\nICD-10-CM code:"
# A category of three characters, then at most four more after a dot; letters are capitals.
CODE = re.compile(r"[A-Z][0-9A-Z]{2}(\.[0-9A-Z]{1,4})?")
NOTE_SEPARATOR = "; "


class Icd10Cm:
    """Judges completions for curation: the completion of a coding row is exactly one leaf code."""

    name = NAME

    def subject(self, row: Row) -> str | None:
        """The description that a coding row asks about, or None where the prompt is not of our form."""
        head, _, tail = PROMPT.partition("{description}")
        if not (row.prompt.startswith(head) and row.prompt.endswith(tail)):
            return None
        return str(row.prompt[len(head) : len(row.prompt) - len(tail)]).strip()

    def is_well_formed(self, code: str) -> bool:
        return CODE.fullmatch(code) is not None

    def is_known(self, code: str) -> bool:
        """Only leaves are billable, so a category that has narrower codes is no answer."""
        return code in _leaves()


@cache
def _leaves() -> frozenset[str]:
    return frozenset(leaf_codes())


@cache
def leaf_codes() -> tuple[str, ...]:
    """Every code without narrower codes below it, in the order of the official tables."""
    # A few categories are also the only one of their block, and stand in the list twice for that.
    codes = dict.fromkeys(code for code in icd.get_all_codes() if icd.is_category_or_subcategory(code))
    return tuple(code for code in codes if icd.is_leaf(code))


def select_codes(count: int, seed: str, prefixes: Sequence[str] = ()) -> tuple[str, ...]:
    """`count` leaf codes, the same for the same arguments anywhere: those whose hash with `seed` is lowest.

    `prefixes` narrows the choice, e.g. ("E08", "E11") for diabetes. Raises InvalidInput when too few match.
    """
    matching = [code for code in leaf_codes() if not prefixes or code.startswith(tuple(prefixes))]
    if len(matching) < count:
        raise InvalidInput(
            "too few codes match", asked=count, matching=len(matching), prefixes=list(prefixes)
        )
    ranked = sorted(matching, key=lambda code: hashlib.sha256(f"{seed}\0{code}".encode()).digest())
    return tuple(ranked[:count])


def row_of(code: str, description: str | None = None) -> Row:
    """The training row that asks for `code`; by the official description unless another wording is given."""
    return Row(
        kind="qa",
        prompt=PROMPT.format(description=description or icd.get_description(code)),
        completion=code,
        meta=_notes(code),
    )


def _notes(code: str) -> dict[str, str]:
    lists = {
        "includes": (*icd.get_includes(code), *icd.get_inclusion_term(code)),
        "excludes1": icd.get_excludes1(code),
        "excludes2": icd.get_excludes2(code),
    }
    notes = {name: NOTE_SEPARATOR.join(entries) for name, entries in lists.items() if entries}
    return {"code_system": NAME, "chapter": icd.get_ancestors(code)[-1], **notes}


def descriptions_of(code: str) -> tuple[str, ...]:
    """The official description first, then the inclusion terms: other wordings in the official tables."""
    return (icd.get_description(code), *icd.get_inclusion_term(code))
