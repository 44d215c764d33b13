"""Who stood where when an answer was given: the accounts and shares by which its price is split, as stored
with it.
"""

from __future__ import annotations

from node.attribution.attributor import Version
from node.serving.model import ServedModel
from protocol.errors import FieldError
from protocol.fields import Fields
from protocol.rewards import Terms
from protocol.types import TOTAL_PPM, Address

MAX_SHARES = 1 << 20


def terms_of(
    model: ServedModel, version: Version | None, node: str, stakers_account: str, treasury: str
) -> Terms:
    """The terms of one answer; without a Datanet there is neither labour nor coverage to pay."""
    labour = () if version is None else version.manifest.labour
    return Terms(
        owner=Address(model.owner),
        operator=Address(node),
        stakers_account=Address(stakers_account),
        treasury=Address(treasury),
        royalties=tuple((Address(account), ppm) for account, ppm in model.royalties),
        labour=tuple((item.account, item.ppm) for item in labour),
        coverage=() if version is None else version.coverage,
    )


def terms_to_json(terms: Terms) -> dict[str, object]:
    """For storage and statements; read back by `terms_from_json`."""
    return {
        "owner": terms.owner,
        "operator": terms.operator,
        "stakersAccount": terms.stakers_account,
        "treasury": terms.treasury,
        "royalties": [list(share) for share in terms.royalties],
        "labour": [list(share) for share in terms.labour],
        "coverage": [list(share) for share in terms.coverage],
    }


def terms_from_json(value: object) -> Terms:
    """The inverse of `terms_to_json`."""
    fields = Fields(value, "terms")
    terms = Terms(
        owner=fields.address("owner"),
        operator=fields.address("operator"),
        stakers_account=fields.address("stakersAccount"),
        treasury=fields.address("treasury"),
        royalties=fields.each("royalties", MAX_SHARES, _share),
        labour=fields.each("labour", MAX_SHARES, _share),
        coverage=fields.each("coverage", MAX_SHARES, _share),
    )
    fields.done()
    return terms


def _share(where: str, value: object) -> tuple[Address, int]:
    if not isinstance(value, list) or len(value) != 2:
        raise FieldError(where, "must be [account, ppm]")
    fields = Fields({"account": value[0], "ppm": value[1]}, where)
    return fields.address("account"), fields.integer("ppm", 0, TOTAL_PPM)
