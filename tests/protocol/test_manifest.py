import hashlib
import json
import unicodedata
from collections import Counter
from contextlib import suppress
from dataclasses import replace

import pytest
from eth_hash.auto import keccak
from hypothesis import example, given
from hypothesis import strategies as st

from protocol.errors import ManifestError, ProtocolError, SharesDoNotSum
from protocol.hashing import from_hex
from protocol.manifest import (
    Labour,
    Manifest,
    Row,
    content_digest,
    coverage,
    decode_manifest,
    decode_row,
    dedup_digest,
    encode_manifest,
    encode_row,
    manifest_root,
    normal_text,
)
from protocol.merkle import prove, root, verify
from tests.protocol.records import account, manifest, words32

text = st.text(st.characters(blacklist_categories=("Cs",)), max_size=20)
rows = st.builds(Row, text, text, text, st.dictionaries(text, text, max_size=3))
owner_lists = st.lists(st.integers(1, 5), max_size=12)


@st.composite
def manifests(draw):
    owners = draw(owner_lists)
    heads = [place for place in range(len(owners)) if place == 0 or draw(st.booleans())]
    clusters = [
        place if place in heads else draw(st.sampled_from([h for h in heads if h < place]))
        for place in range(len(owners))
    ]
    revoked = [place for place in range(len(owners)) if draw(st.booleans()) and draw(st.booleans())]
    base = manifest(owners, clusters, revoked)
    labour = (Labour("curation", account(9), 400_000), Labour("evaluation", account(8), 600_000))
    return replace(base, version=3, parent=2, labour=labour if draw(st.booleans()) else ())


@given(rows, words32)
def test_content_digest_is_sha256_of_salt_and_canonical_json(row, salt):
    """SPEC 0.21"""
    body = json.dumps(
        {"kind": row.kind, "prompt": row.prompt, "completion": row.completion, "meta": dict(row.meta)},
        ensure_ascii=False,
        separators=(",", ":"),
        sort_keys=True,
    ).encode()
    if all(ord(letter) < 0xD800 for key in row.meta for letter in key):
        assert content_digest(row) == hashlib.sha256(body).digest()
        assert content_digest(row, salt) == hashlib.sha256(salt + body).digest()
    with pytest.raises(ManifestError):
        content_digest(row, salt[:31])


@given(rows)
def test_rows_read_back(row):
    """SPEC 0.21"""
    assert decode_row(encode_row(row)) == row
    with pytest.raises(ProtocolError):
        decode_row(encode_row(row) + b" ")


@given(rows, rows)
def test_different_rows_have_different_digests(row, other):
    """SPEC 0.21"""
    assert (content_digest(row) == content_digest(other)) == (row == other)


@given(text, text, st.sampled_from([str.upper, str.lower, str.title]))
def test_dedup_ignores_case_form_and_space(prompt, completion, recase):
    """SPEC 0.22"""
    plain = Row("qa", prompt, completion, {})
    spaced = Row("note", f" \u00a0{prompt}\t\n", completion.replace(" ", "  "), {"a": "b"})
    assert dedup_digest(plain) == dedup_digest(spaced)
    ascii_prompt = prompt.encode("ascii", "ignore").decode()
    assert dedup_digest(Row("qa", recase(ascii_prompt), "", {})) == dedup_digest(
        Row("qa", ascii_prompt, "", {})
    )


def test_dedup_sees_through_compatibility_forms():
    """SPEC 0.22"""
    assert normal_text("Ｄｉａｂｅｔｅｓ\u2003ﬁrst  Straße ²") == "diabetes first strasse 2"
    assert dedup_digest(Row("", "ab", "c", {})) != dedup_digest(Row("", "a", "bc", {}))


@given(text)
@example("\u01f0\u1fb6")
def test_normal_text_is_settled(value):
    """SPEC 0.22"""
    assert normal_text(normal_text(value)) == normal_text(value)
    assert unicodedata.is_normalized("NFKC", normal_text(value))


@given(manifests())
def test_manifests_read_back_and_have_one_spelling(one):
    """SPEC 0.23"""
    data = encode_manifest(one)
    assert decode_manifest(data) == one
    for other in (data + b"\n", data.replace(b'"rows":', b'"rows": '), json.dumps(json.loads(data)).encode()):
        with pytest.raises(ProtocolError):
            decode_manifest(other)


@given(manifests(), st.data())
def test_manifest_bytes_never_read_as_another_manifest(one, data):
    """SPEC 0.23"""
    raw = bytearray(encode_manifest(one))
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with suppress(ProtocolError):
        assert encode_manifest(decode_manifest(bytes(raw))) == bytes(raw)


@given(manifests())
def test_the_root_is_the_sorted_tree_of_digests(one):
    """SPEC 0.23"""
    digests = [from_hex(row.digest, 32) for row in one.rows]
    assert digests == sorted(digests)
    assert manifest_root(one, keccak) == root(digests, keccak)
    for place, digest in enumerate(digests):
        assert verify(digest, prove(digests, place, keccak), manifest_root(one, keccak), keccak)


@given(manifests())
def test_coverage_counts_each_cluster_once(one):
    """SPEC 0.24"""
    counted = Counter(row.owner for row in one.rows if row.index == row.cluster and row.consent == "granted")
    shares = coverage(one)
    assert set(shares) == set(counted)
    assert sum(shares.values()) == (1_000_000 if counted else 0)
    for owner, ppm in shares.items():
        assert abs(ppm - 1_000_000 * counted[owner] / sum(counted.values())) < 1


def test_copies_cover_nothing():
    """SPEC 0.24: rows that join another's cluster give their owner no coverage."""
    alone, copied = manifest([1, 2]), manifest([1, 2, 3, 3], [0, 1, 0, 1])
    assert coverage(copied) == coverage(alone) == {account(1): 500_000, account(2): 500_000}


@pytest.mark.parametrize(
    ("place", "changes"),
    [
        (1, {"index": 0}),
        (1, {"digest": "0x" + "0" * 64}),
        (2, {"cluster": 1}),
        (0, {"cluster": 9}),
        (0, {"cid": "bafk"}),
        (0, {"digest": "0x12"}),
        (1, {"cluster": -1}),
    ],
)
def test_contradicting_rows_are_refused(place, changes):
    """SPEC 0.23"""
    one = manifest([1, 2, 3], [0, 0, 2])
    changed = [replace(row, **changes) if row.index == place else row for row in one.rows]
    with pytest.raises(ProtocolError):
        replace(one, rows=tuple(changed))


def test_labour_and_parents_are_checked():
    """SPEC 0.23"""
    with pytest.raises(SharesDoNotSum):
        Manifest(1, 1, 0, (), (Labour("curation", account(1), 999_999),))
    with pytest.raises(ManifestError):
        Manifest(1, 1, 1, (), ())
