"""A node that crashed, or is new, has the same picture as one that did not, from the chain and the bytes."""

import pytest

from node.datanet.icd10 import row_of, select_codes
from node.datanet.mirror import DatanetMirror, Progress
from node.datanet.reasons import encode_reasons
from node.datanet.records import ContributionStatus
from node.errors import NotFound
from node.store.datanet import DatanetTable
from scripts.deployment_plan import DEVNET
from tests.node.actors import METADATA, DatanetNode, World, send_blobs, start_node

ROWS = [row_of(code) for code in select_codes(6, "mirror")]


def mirror(node: DatanetNode) -> DatanetMirror:
    return DatanetMirror(node.table, node.contracts, node.contributions, node.review, node.versions)


def picture(node: DatanetNode, datanet: int) -> tuple[object, ...]:
    return node.table.contributions(datanet), node.table.rows(datanet), node.table.versions(datanet)


def test_a_new_node_catches_up_with_bytes_and_waits_without(
    world: World, curator: DatanetNode, datanet: int
) -> None:
    """SPEC 1.18"""
    curator.review.decide(curator.contributions.submit(datanet, ROWS, "CC0-1.0"))
    curator.versions.publish(datanet)
    fresh = start_node(world, "stranger")
    assert mirror(fresh).catch_up() == Progress(0, 0, 0, 0)
    send_blobs(curator, fresh)
    assert mirror(fresh).catch_up() == Progress(1, 1, 0, 1)
    assert mirror(fresh).catch_up() == Progress(0, 0, 0, 0)
    assert picture(fresh, datanet) == picture(curator, datanet)


def pass_time(world: World, seconds: int) -> None:
    for method, values in (("evm_increaseTime", [seconds]), ("evm_mine", [])):
        world.chain.web3.provider.make_request(method, values)  # type: ignore[arg-type]


def test_what_contributors_revoke_on_chain_leaves_the_next_version(
    world: World, contributor: DatanetNode, curator: DatanetNode, datanet: int
) -> None:
    """SPEC 1.81: and a row whose consent is granted again may come back."""
    contribution = contributor.contributions.submit(datanet, ROWS, "CC0-1.0")
    send_blobs(contributor, curator)
    mirror(curator).catch_up()
    curator.review.decide(contribution)
    digest = curator.table.rows_of(contribution)[2].digest
    with pytest.raises(NotFound):
        contributor.contributions.revoke(datanet, bytes(32))
    assert contributor.contributions.revoke(datanet, digest) == contribution
    assert contributor.contracts.is_revoked(datanet, digest)
    assert mirror(curator).catch_up().consents == 1 and mirror(curator).catch_up().consents == 0
    assert len(curator.versions.publish(datanet).manifest.rows) == len(ROWS) - 1
    contributor.contracts.grant(datanet, digest)
    assert mirror(curator).catch_up().consents == 1
    assert len(curator.versions.publish(datanet).manifest.rows) == len(ROWS)


def test_an_overturned_decision_replaces_the_first(
    world: World, contributor: DatanetNode, curator: DatanetNode
) -> None:
    """SPEC 1.81: a node that knew the first decision takes over the one that holds."""
    owner = start_node(world, "publisher")
    datanet = owner.contracts.create("overturned", "icd-10-cm", False, "CC0-1.0", METADATA)
    owner.contracts.set_curator(datanet, curator.address, True)
    contribution = contributor.contributions.submit(datanet, ROWS, "CC0-1.0")
    send_blobs(contributor, curator)
    send_blobs(contributor, owner)
    for node in (curator, owner):
        node.contributions.adopt(contribution)
    curator.review.decide(contribution, dict.fromkeys(range(len(ROWS)), "not to my taste"))
    contributor.contracts.appeal(contribution, METADATA)
    honest = owner.review.propose(contribution)
    reasons = owner.blobs.put(encode_reasons(contribution, honest))
    owner.contracts.overturn(contribution, len(ROWS), 0, reasons)
    send_blobs(owner, curator)
    assert mirror(curator).catch_up().decisions == 1 and mirror(curator).catch_up().decisions == 0
    assert {row.verdict for row in curator.table.rows_of(contribution)} == {"accepted"}
    assert curator.table.contribution(contribution).curator == owner.address
    assert contributor.contributions.settle_ripe() == ()


def test_a_contributor_closes_what_is_ripe(
    world: World, contributor: DatanetNode, curator: DatanetNode, datanet: int
) -> None:
    """SPEC 1.83: not before its window is over, not twice, and nobody else's."""
    contribution = contributor.contributions.submit(datanet, ROWS, "CC0-1.0")
    send_blobs(contributor, curator)
    curator.contributions.adopt_new()
    assert contributor.contributions.settle_ripe() == ()
    curator.review.decide(contribution)
    assert contributor.contributions.settle_ripe() == ()
    pass_time(world, DEVNET.appeal_window)
    assert contribution not in curator.contributions.settle_ripe()
    assert contribution in contributor.contributions.settle_ripe()
    assert contributor.contributions.settle_ripe() == ()
    assert contributor.contracts.contribution(contribution).status is ContributionStatus.SETTLED


@pytest.mark.parametrize("lost", ["put_contribution", "decide", "put_version"])
def test_a_crash_between_transaction_and_record_is_mended(
    curator: DatanetNode, datanet: int, monkeypatch: pytest.MonkeyPatch, lost: str
) -> None:
    """SPEC 1.18"""

    class Crash(Exception):
        pass

    def crash(*_: object) -> None:
        raise Crash

    def whole_stage() -> None:
        curator.review.decide(curator.contributions.submit(datanet, ROWS, "CC0-1.0"))
        curator.versions.publish(datanet)

    with monkeypatch.context() as patched:
        patched.setattr(DatanetTable, lost, crash)
        with pytest.raises(Crash):
            whole_stage()
    done = mirror(curator).catch_up()
    assert Progress(0, 0, 0, 0) != done
    assert mirror(curator).catch_up() == Progress(0, 0, 0, 0)
    assert len(curator.table.rows(datanet)) == len(ROWS)
