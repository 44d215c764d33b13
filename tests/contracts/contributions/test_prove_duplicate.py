"""Copies, proven on chain."""

import pytest

from node.chain.keccak import keccak
from protocol import merkle
from protocol.contribution import batch_root
from scripts.deployment_plan import OPEN
from tests.contracts.datanets import (
    DIGESTS,
    bond_of,
    contribution_of,
    create,
    decide,
    ledger_of,
    membership,
    proof_tuple,
    revoke,
    submit,
    tune,
)
from tests.contracts.world import Mined, World, reverts

DIGEST = DIGESTS[1]
COPIES = (keccak(b"new"), DIGEST)


def prove(
    world: World, earlier: tuple, later: tuple, digest: bytes = DIGEST, sender: str = "challenger"
) -> Mined:
    return world.send(ledger_of(world).functions.proveDuplicate(digest, earlier, later), sender)


@pytest.fixture
def pair(world: World, datanet: int) -> tuple[tuple, tuple]:
    """A row of the contributor's, and the staker's copy of it in a batch of two."""
    first = submit(world, datanet, "contributor")
    second = submit(world, datanet, "staker", COPIES)
    return membership(world, first, "contributor", DIGEST), membership(
        world, second, "staker", DIGEST, COPIES
    )


def test_a_copys_bond_goes_half_to_who_proves_it(world: World, pair: tuple[tuple, tuple]) -> None:
    """SPEC 1.74: the rest is burnt; the record stays; a second proof of the same row is refused."""
    first, second = pair
    supply, bond = world.token.functions.totalSupply().call(), bond_of(world)
    mined = prove(world, first, second)
    assert world.balance("challenger") == bond // 2
    assert supply - world.token.functions.totalSupply().call() == bond - bond // 2
    assert world.balance(ledger_of(world).address) == bond
    assert not contribution_of(world, second[0])["held"] and contribution_of(world, first[0])["held"]
    assert ledger_of(world).functions.duplicateOf(second[0], DIGEST).call() == first[0]
    (event,) = world.events(mined, ledger_of(world), "DuplicateProven")
    assert (event["earlierId"], event["laterId"], event["digest"]) == (first[0], second[0], DIGEST)
    with reverts("ContributionLedgerDuplicateKnown", second[0], DIGEST, first[0]):
        prove(world, first, second)


def test_an_odd_wei_is_burnt(tuned: World, datanet: int) -> None:
    """SPEC 1.74: the prover's half is rounded down."""
    tune(tuned, "contributionBond", 3)
    first = membership(tuned, submit(tuned, datanet, "contributor"), "contributor", DIGEST)
    second = membership(tuned, submit(tuned, datanet, "staker", COPIES), "staker", DIGEST, COPIES)
    prove(tuned, first, second)
    assert tuned.balance("challenger") == 1 and tuned.balance(ledger_of(tuned).address) == 3


def test_a_second_copied_row_is_recorded_without_a_bond(world: World, datanet: int) -> None:
    """SPEC 1.74: a bond is forfeited once, and closing the contribution later pays nothing more."""
    first, second = submit(world, datanet, "contributor"), submit(world, datanet, "staker")
    for digest in DIGESTS[:2]:
        prove(
            world,
            membership(world, first, "contributor", digest),
            membership(world, second, "staker", digest),
            digest,
        )
    assert world.balance("challenger") == bond_of(world) // 2
    decide(world, second, 0, 3)
    world.pass_to(contribution_of(world, second)["deadline"])
    world.send(ledger_of(world).functions.settle(second), "stranger")
    assert world.balance("staker") == 0 and world.balance(ledger_of(world).address) == bond_of(world)


def test_what_is_no_copy_is_not_proven(world: World, pair: tuple[tuple, tuple], datanet: int) -> None:
    """SPEC 1.74: another order, Datanet, contributor, row or proof is refused by its own name."""
    first, second = pair
    with reverts("ContributionLedgerNotLater", second[0], first[0]):
        prove(world, second, first)
    with reverts("ContributionLedgerNotLater", first[0], first[0]):
        prove(world, first, first)
    again = membership(world, submit(world, datanet, "contributor"), "contributor", DIGEST)
    with reverts("ContributionLedgerSameContributor", world.address("contributor")):
        prove(world, first, again)
    elsewhere = submit(world, create(world, "stranger"), "staker")
    with reverts("ContributionLedgerDifferentDatanets", first[0], elsewhere):
        prove(world, first, membership(world, elsewhere, "staker", DIGEST))
    with reverts("ContributionLedgerBadProof", first[0], DIGESTS[0]):
        prove(world, first, second, DIGESTS[0])
    with reverts("ContributionLedgerUnknown", 99):
        prove(world, first, (99, second[1]))


def test_a_copied_root_proves_nothing_for_its_copier(world: World, datanet: int) -> None:
    """SPEC 1.65: a leaf binds its contributor, so a root taken from a pending transaction is worthless."""
    root = batch_root(world.plain("contributor"), DIGESTS, keccak)
    stolen = submit(world, datanet, "staker", root=root)
    honest = submit(world, datanet, "contributor")
    for contributor in ("contributor", "staker"):
        _, proof = membership(world, stolen, contributor, DIGEST)
        with reverts("ContributionLedgerBadProof", stolen, DIGEST):
            prove(world, (stolen, proof), membership(world, honest, "contributor", DIGEST))
    bare = proof_tuple(merkle.prove(DIGESTS, 1, keccak))
    with reverts("ContributionLedgerBadProof", honest, DIGEST):
        world.send(ledger_of(world).functions.revoke(DIGEST, (honest, bare)), "contributor")


def test_a_proven_copy_ends_the_revocation_that_stood_on_it(world: World, pair: tuple[tuple, tuple]) -> None:
    """SPEC 1.75: a copier cannot withdraw somebody else's row, and never again after the proof."""
    first, second = pair
    decide(world, first[0], 3, 0)
    decide(world, second[0], 1, 1)
    ledger, datanet = ledger_of(world).functions, contribution_of(world, first[0])["datanetId"]
    world.send(ledger.revoke(DIGEST, second), "staker")
    assert ledger.revokedAt(datanet, DIGEST).call() == world.now
    mined = prove(world, first, second)
    assert ledger.revokedAt(datanet, DIGEST).call() == 0 == ledger.revokedBy(datanet, DIGEST).call()
    assert len(world.events(mined, ledger_of(world), "ConsentGranted")) == 1
    with reverts("ContributionLedgerDuplicateKnown", second[0], DIGEST, first[0]):
        world.send(ledger.revoke(DIGEST, second), "staker")
    revoke(world, first[0], "contributor", DIGEST)
    assert ledger.revokedBy(datanet, DIGEST).call() == first[0]


def test_a_proof_leaves_the_originals_revocation_alone(world: World, pair: tuple[tuple, tuple]) -> None:
    """SPEC 1.75: only a revocation through the copy ends with it."""
    first, second = pair
    decide(world, first[0], 3, 0)
    revoke(world, first[0], "contributor", DIGEST)
    prove(world, first, second)
    datanet = contribution_of(world, first[0])["datanetId"]
    assert ledger_of(world).functions.revokedBy(datanet, DIGEST).call() == first[0]


def test_a_large_bond_is_split_exactly(tuned: World, datanet: int) -> None:
    """SPEC 1.74"""
    tune(tuned, "contributionBond", 10**6 * OPEN - 1)
    first = membership(tuned, submit(tuned, datanet, "contributor"), "contributor", DIGEST)
    second = membership(tuned, submit(tuned, datanet, "staker", COPIES), "staker", DIGEST, COPIES)
    prove(tuned, first, second)
    assert tuned.balance("challenger") == (10**6 * OPEN - 1) // 2
