"""From decisions to an immutable version on a real chain, and what never gets into one."""

import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.near_duplicates import add_filler, replace_word
from node.chain.embedded.devnet import devnet_accounts
from node.chain.keccak import keccak
from node.chain.signer import signer_of
from node.datanet.curation import Reason, Verdict
from node.datanet.icd10 import Icd10Cm, descriptions_of, row_of, select_codes
from node.datanet.manifests import StandingRow, build_manifest, check_manifest, review_shares
from node.errors import ChainReverted, Conflict, IntegrityError, InvalidInput
from node.store.datanet import StoredRow
from protocol.cid import cid_of_raw
from protocol.hashing import from_hex
from protocol.labour import LabourKind, LabourRecord, labour_digest
from protocol.manifest import Labour, content_digest, coverage, encode_manifest, encode_row, manifest_root
from protocol.tokens import row_chunks_root
from protocol.types import TOTAL_PPM, Address
from tests.node.actors import ACTORS, METADATA, DatanetNode, World, send_blobs, start_node

CODES = [code for code in select_codes(80, "versions") if len(descriptions_of(code)[0].split()) >= 4][:24]
ROWS = [row_of(code) for code in CODES]
OWNERS = [Address("0x" + f"{number:040x}") for number in range(1, 4)]


def copies_of(codes: list[str], seed: int = 1):
    rng = random.Random(seed)
    return [row_of(code, add_filler(descriptions_of(code)[0], rng)) for code in codes]


def contribute(source: DatanetNode, curator: DatanetNode, datanet: int, rows, gated: bool = False) -> int:
    contribution = source.contributions.submit(datanet, rows, "CC0-1.0", gated)
    send_blobs(source, curator)
    curator.contributions.adopt_new()
    return contribution


def test_the_whole_stage_from_rows_to_a_version_that_others_can_check(
    contributor: DatanetNode, copier: DatanetNode, curator: DatanetNode, datanet: int
) -> None:
    """SPEC 1.18"""
    first = contribute(contributor, curator, datanet, ROWS)
    second = contribute(copier, curator, datanet, copies_of(CODES[:6]))
    assert {decision.verdict for decision in curator.review.decide(first)} == {Verdict.ACCEPTED}
    assert {decision.verdict for decision in curator.review.decide(second)} == {Verdict.LINKED}
    published = curator.versions.publish(datanet)
    on_chain = curator.contracts.version(datanet, 1)
    assert on_chain.content_root == manifest_root(published.manifest, keccak) == published.root
    assert on_chain.manifest == published.cid and on_chain.row_count == 30
    assert coverage(published.manifest) == {contributor.address: TOTAL_PPM}
    assert published.manifest.labour == (Labour("review", curator.address, TOTAL_PPM),)
    send_blobs(curator, copier)
    assert copier.versions.load(datanet, 1).manifest == published.manifest
    plain = list(copier.vault.plaintext_rows(published.manifest))
    assert [row.index for row in plain] == list(range(30))
    assert all(
        content_digest(row.row, row.salt) == from_hex(published.manifest.rows[row.index].digest, 32)
        for row in plain
    )


def test_a_later_curator_node_takes_decisions_over_from_the_chain(
    world: World, contributor: DatanetNode, curator: DatanetNode, datanet: int
) -> None:
    """SPEC 1.18: two nodes with the same rows build the same bytes."""
    contribution = contribute(contributor, curator, datanet, ROWS)
    curator.review.decide(contribution, {3: "the licence is not the contributor's to give"})
    published = curator.versions.publish(datanet)
    other = start_node(world, "stranger")
    send_blobs(curator, other)
    other.contributions.adopt_new()
    assert other.review.adopt_decision(contribution)
    rows = [StandingRow(row, ROWS[row.position]) for row in other.table.rows(datanet)]
    rebuilt = build_manifest(datanet, 1, 0, rows, published.manifest.labour, Icd10Cm())
    assert encode_manifest(rebuilt) == encode_manifest(published.manifest)
    assert len(rebuilt.rows) == len(ROWS) - 1


def test_review_follows_the_order_of_submission(
    contributor: DatanetNode, copier: DatanetNode, curator: DatanetNode, datanet: int
) -> None:
    """SPEC 1.16: a copier gains nothing by being reviewed first."""
    first = contribute(contributor, curator, datanet, ROWS[:4])
    second = contribute(copier, curator, datanet, copies_of(CODES[:4]))
    with pytest.raises(Conflict, match="undecided"):
        curator.review.decide(second)
    curator.review.decide(first)
    assert {decision.canonical for decision in curator.review.decide(second)} == {
        (first, n) for n in range(4)
    }


def test_a_gated_datanet_is_reviewed_and_published_without_its_text(
    contributor: DatanetNode, curator: DatanetNode, copier: DatanetNode, datanet: int
) -> None:
    """SPEC 1.10"""
    contribution = contribute(contributor, curator, datanet, ROWS[:5], gated=True)
    assert {decision.reason for decision in curator.review.propose(contribution)} == {Reason.UNREADABLE}
    digests = [row.digest for row in curator.table.rows_of(contribution)]
    curator.vault.accept_grants(contributor.vault.grant(datanet, digests, curator.reader))
    curator.review.decide(contribution)
    published = curator.versions.publish(datanet)
    assert all(row.gated for row in published.manifest.rows)
    assert sorted(row.row.completion for row in curator.vault.plaintext_rows(published.manifest)) == sorted(
        CODES[:5]
    )
    assert b"diabetes" not in encode_manifest(published.manifest)


def test_a_withdrawn_row_leaves_with_its_copies_and_erasure_leaves_history_intact(
    contributor: DatanetNode, copier: DatanetNode, curator: DatanetNode, datanet: int
) -> None:
    """SPEC 1.12"""
    first = contribute(contributor, curator, datanet, ROWS[:4], gated=True)
    second = contribute(copier, curator, datanet, copies_of(CODES[:2]))
    digests = [row.digest for row in curator.table.rows_of(first)]
    curator.vault.accept_grants(contributor.vault.grant(datanet, digests, curator.reader))
    for contribution in (first, second):
        curator.review.decide(contribution)
    before = curator.versions.publish(datanet)
    victim = curator.table.rows_of(first)[0]
    assert curator.versions.withdraw(datanet, victim.digest) == 1
    after = curator.versions.publish(datanet)
    assert (len(before.manifest.rows), len(after.manifest.rows)) == (6, 4)
    assert (after.manifest.version, after.manifest.parent) == (2, 1)
    assert curator.versions.load(datanet, 1).manifest == before.manifest


def test_nobody_but_a_curator_publishes(contributor: DatanetNode, curator: DatanetNode, datanet: int) -> None:
    """SPEC 1.18"""
    contribution = contribute(contributor, curator, datanet, ROWS[:2])
    with pytest.raises(ChainReverted, match="ContributionLedgerNotCurator"):
        contributor.review.decide(contribution)
    with pytest.raises(InvalidInput, match="no row"):
        curator.versions.publish(datanet)
    curator.review.decide(contribution)
    with pytest.raises(ChainReverted, match="AlreadyDecided"):
        curator.review.decide(contribution)
    curator.versions.publish(datanet)


def test_a_manifest_that_is_not_the_one_on_chain_is_refused(
    contributor: DatanetNode, curator: DatanetNode, datanet: int
) -> None:
    """SPEC 1.18 and 1.82"""
    curator.review.decide(contribute(contributor, curator, datanet, ROWS[:3]))
    published = curator.versions.publish(datanet)
    on_chain = curator.contracts.version(datanet, 1)
    data = encode_manifest(published.manifest)
    labour = published.manifest.labour
    assert check_manifest(data, on_chain, labour) == published.manifest
    digest = published.manifest.rows[0].digest.encode()
    for false in (
        data.replace(digest, b"0x" + b"0" * 64),
        data.replace(b'"version":1', b'"version":2'),
        b"{}",
        b"",
    ):
        with pytest.raises(IntegrityError):
            check_manifest(false, on_chain, labour)
    with pytest.raises(IntegrityError, match="labour"):
        check_manifest(data, on_chain, ())
    with pytest.raises(IntegrityError, match="not the one on chain"):
        check_manifest(data, replace(on_chain, rows_root=bytes(32)), labour)


def test_token_chunks_are_registered_once_and_never_changed(
    contributor: DatanetNode, curator: DatanetNode, datanet: int
) -> None:
    """SPEC 1.19"""
    curator.review.decide(contribute(contributor, curator, datanet, ROWS[:3]))
    curator.versions.publish(datanet)
    tokens, tokenizer = [[1, 2, 3], list(range(70)), [9]], b"\x07" * 32
    root = curator.versions.register_chunks(datanet, 1, tokenizer, tokens)
    assert curator.contracts.chunks(datanet, 1, tokenizer) == (root, 5) == row_chunks_root(tokens, keccak)
    assert curator.versions.register_chunks(datanet, 1, tokenizer, tokens) == root
    with pytest.raises(Conflict):
        curator.versions.register_chunks(datanet, 1, tokenizer, [[1, 2, 3], list(range(70)), [8]])
    with pytest.raises(InvalidInput):
        curator.versions.register_chunks(datanet, 1, tokenizer, tokens[:2])


def test_signed_labour_is_paid_with_its_parents(
    contributor: DatanetNode, copier: DatanetNode, curator: DatanetNode, datanet: int
) -> None:
    """SPEC 1.80 and 1.82: a version pays what its shares come to, and another node believes just that."""
    curator.review.decide(contribute(contributor, curator, datanet, ROWS[:3]))
    prompts = sign(curator, contributor, datanet, LabourKind.PROMPTS)
    judged = sign(curator, copier, datanet, LabourKind.EVALUATION, ((prompts, 250_000),))
    review = curator.contracts.labour.review_of(datanet, curator.address)
    shares = [(review, 200_000), (judged, 800_000)]
    published = curator.versions.publish(datanet, shares)
    assert set(published.manifest.labour) == {
        Labour("review", curator.address, 200_000),
        Labour("evaluation", copier.address, 600_000),
        Labour("prompts", contributor.address, 200_000),
    }
    send_blobs(curator, copier)
    assert copier.versions.load(datanet, 1).manifest == published.manifest


def sign(
    curator: DatanetNode,
    labourer: DatanetNode,
    datanet: int,
    kind: LabourKind,
    parents: tuple[tuple[int, int], ...] = (),
) -> int:
    """Labour that `labourer` signed and the curator accepted."""
    key = devnet_accounts()[
        ACTORS.index("contributor" if kind is LabourKind.PROMPTS else "copier")
    ].key.to_bytes()
    record = LabourRecord(datanet, labourer.address, kind, METADATA.binary, parents, 2**40)
    digest = labour_digest(record, curator.contracts.labour.domain, keccak)
    return curator.contracts.labour.accept(record, signer_of(key).sign_digest(digest))


def stored(
    place: int, owner: Address, row, verdict: str | None = "accepted", consent: str = "granted"
) -> StandingRow:
    data = encode_row(row)
    cid = cid_of_raw(data).text
    return StandingRow(
        StoredRow(1 + place % 3, place, owner, content_digest(row), cid, False, "CC0-1.0", consent, verdict),
        row,
    )


@given(
    picks=st.lists(
        st.tuples(st.sampled_from(CODES), st.sampled_from(OWNERS), st.integers(0, 3)), max_size=20
    ),
    order=st.randoms(),
)
@settings(max_examples=40, deadline=None)
def test_the_manifest_depends_on_the_rows_and_not_on_their_order(picks, order: random.Random) -> None:
    """SPEC 1.18: also each cluster's canonical row is its earliest, and coverage counts clusters."""
    texts = [
        row_of(code, replace_word(descriptions_of(code)[0], random.Random(code)) if edit % 2 else None)
        for code, _, edit in picks
    ]
    rows = [
        stored(place, owner, text)
        for place, ((_, owner, _), text) in enumerate(zip(picks, texts, strict=True))
    ]
    manifest = build_manifest(1, 1, 0, rows, (), Icd10Cm())
    order.shuffle(rows)
    assert build_manifest(1, 1, 0, rows, (), Icd10Cm()) == manifest
    place = {row.stored.digest: row.place for row in sorted(rows, key=lambda row: row.place, reverse=True)}
    at = [place[from_hex(row.digest, 32)] for row in manifest.rows]
    assert all(at[row.cluster] <= at[row.index] for row in manifest.rows)
    assert len({row.cluster for row in manifest.rows}) == len({code for code, _, _ in picks})
    assert sum(coverage(manifest).values()) == (TOTAL_PPM if manifest.rows else 0)


@given(counts=st.dictionaries(st.sampled_from(OWNERS), st.integers(0, 50)))
@settings(max_examples=50, deadline=None)
def test_labour_shares_make_a_whole(counts: dict[Address, int]) -> None:
    """SPEC 1.18"""
    shares = review_shares(counts)
    assert sum(shares.values()) == (TOTAL_PPM if any(counts.values()) else 0)
    assert set(shares) <= {account for account, rows in counts.items() if rows}


@pytest.mark.parametrize(
    ("verdict", "consent"), [(None, "granted"), ("rejected", "granted"), ("accepted", "revoked")]
)
def test_what_does_not_stand_is_in_no_manifest(verdict: str | None, consent: str) -> None:
    """SPEC 1.18"""
    rows = [stored(0, OWNERS[0], ROWS[0], verdict, consent), stored(1, OWNERS[1], ROWS[1])]
    manifest = build_manifest(1, 1, 0, rows, (), Icd10Cm())
    assert [row.owner for row in manifest.rows] == [OWNERS[1]]
