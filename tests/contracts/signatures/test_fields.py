"""Every field, the domain and the once of every signed message."""

from typing import Any

import pytest

from tests.contracts.signatures.accounts import account_of
from tests.contracts.signatures.signed import OTHER, Signed
from tests.contracts.signatures.subjects import SUBJECTS
from tests.contracts.world import World, key_of, reverts, rewound

# Where the contract computes the field itself, it is not submitted and can only be signed wrongly.
UNSUBMITTED = {"permit": {"nonce"}, "labour": {"parents", "parentsPpm"}}


@pytest.fixture(params=sorted(SUBJECTS))
def signed(world: World, request: pytest.FixtureRequest) -> Signed:
    """A message of each kind, signed by a plain account."""
    return SUBJECTS[request.param](world, account_of(world, "plain"))


def test_what_is_signed_is_accepted(signed: Signed) -> None:
    """SPEC 6.70: the message as it was signed is accepted, from a signature by any EIP-712 wallet."""
    signed.submit(signed.message, signed.sign())


def test_each_field_is_signed(world: World, signed: Signed, request: pytest.FixtureRequest) -> None:
    """SPEC 6.70: with any one field changed it is refused."""
    signature = signed.sign()
    names = {name for name, _ in signed.fields}
    subject = request.node.callspec.params["signed"]
    assert set(signed.others) == names - UNSUBMITTED.get(subject, set())
    for name, value in signed.others.items():
        assert signed.message[name] != value
        with rewound(world), reverts(signed.early.get(name, signed.refusals.wrong)):
            signed.submit(signed.message | {name: value}, signature)
    signed.submit(signed.message, signature)


def test_fields_that_are_not_submitted_are_signed_too(world: World) -> None:
    """SPEC 6.70: nor does a signature over another nonce, or over parents that are not given, count."""
    account = account_of(world, "plain")
    permit, labour = SUBJECTS["permit"](world, account), SUBJECTS["labour"](world, account)
    for signed, changed in (
        (permit, {"nonce": 1}),
        (labour, {"parents": [1], "parentsPpm": [1]}),
    ):
        with reverts(signed.refusals.wrong):
            signed.submit(signed.message, signed.sign(signed.message | changed))


ELSEWHERE: dict[str, Any] = {"name": "OpenLedgers", "version": "2", "chainId": 1, "verifyingContract": OTHER}


@pytest.mark.parametrize("part", sorted(ELSEWHERE))
def test_a_signature_counts_in_one_domain(signed: Signed, part: str) -> None:
    """SPEC 6.71: a signature for another chain, contract, name or version of the domain is refused."""
    assert signed.domain[part] != ELSEWHERE[part]
    with reverts(signed.refusals.wrong):
        signed.submit(signed.message, signed.sign(**{part: ELSEWHERE[part]}))


def test_a_signature_counts_once(world: World, signed: Signed) -> None:
    """SPEC 6.72: what was accepted once moves nothing again; a signer's consent may be given again."""
    signature = signed.sign()
    signed.submit(signed.message, signature)
    if not signed.refusals.replayed:
        signed.submit(signed.message, signature)
        return
    with reverts(signed.refusals.replayed):
        signed.submit(signed.message, signature)


def test_another_accounts_signature_is_refused(signed: Signed) -> None:
    """SPEC 6.70: and so is one by another key."""
    with reverts(signed.refusals.wrong):
        signed.submit(signed.message, signed.sign(key=key_of("challenger")))
