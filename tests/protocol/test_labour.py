"""Labour records: what is signed, and what shares come to when records pass parts on."""

import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data
from hypothesis import given
from hypothesis import strategies as st

from node.chain.keccak import keccak
from node.chain.signer import signer_of
from protocol.eip712 import labour_domain
from protocol.errors import ManifestError, SharesDoNotSum
from protocol.labour import (
    LABOUR_TYPE,
    MAX_PARENTS_PPM,
    LabourKind,
    LabourRecord,
    labour_digest,
    labour_lines,
)
from protocol.types import TOTAL_PPM, Address
from tests.protocol.records import account

CONTRACT = Address("0x" + "22" * 20)
KINDS = st.sampled_from(LabourKind)


def record(number: int = 1, parents: tuple[tuple[int, int], ...] = (), kind: LabourKind = LabourKind.RECIPE):
    return LabourRecord(2, account(number), kind, b"\x01\x55", parents, 77)


@st.composite
def histories(draw):
    """Records by id, each with parents of lower ids, and shares of a version."""
    count = draw(st.integers(1, 8))
    records = {}
    for number in range(1, count + 1):
        earlier = st.integers(1, number - 1) if number > 1 else st.nothing()
        parents = draw(st.lists(earlier, max_size=3)) if number > 1 else []
        ppm = draw(st.integers(0, MAX_PARENTS_PPM // max(len(parents), 1)))
        records[number] = record(draw(st.integers(1, 4)), tuple((one, ppm) for one in parents), draw(KINDS))
    picked = sorted(draw(st.sets(st.integers(1, count), min_size=1)))
    cuts = sorted(
        draw(st.lists(st.integers(0, TOTAL_PPM), min_size=len(picked) - 1, max_size=len(picked) - 1))
    )
    parts = [high - low for low, high in zip([0, *cuts], [*cuts, TOTAL_PPM], strict=True)]
    return records, list(zip(picked, parts, strict=True))


@given(history=histories())
def test_shares_are_passed_on_and_none_is_lost(history) -> None:
    """SPEC 1.80: the lines of every account and kind make 1,000,000, each above 0."""
    records, shares = history
    lines = labour_lines(shares, records)
    assert sum(line.ppm for line in lines) == TOTAL_PPM
    assert all(line.ppm > 0 for line in lines)
    assert len({(line.kind, line.account) for line in lines}) == len(lines)


def test_a_record_keeps_what_its_parents_do_not_get() -> None:
    """SPEC 1.80: parts are rounded down, and grandparents are passed theirs in turn."""
    records = {1: record(1), 2: record(2, ((1, 333_333),)), 3: record(3, ((2, 500_000),))}
    lines = {line.account: line.ppm for line in labour_lines([(3, TOTAL_PPM)], records)}
    assert lines == {account(3): 500_000, account(2): 500_000 - 166_666, account(1): 166_666}


def test_shares_that_make_no_whole_and_children_as_parents_are_refused() -> None:
    """SPEC 1.80"""
    with pytest.raises(SharesDoNotSum):
        labour_lines([(1, 999_999)], {1: record()})
    with pytest.raises(ManifestError):
        labour_lines([(1, TOTAL_PPM)], {1: record(parents=((1, 1),))})


@given(
    kind=KINDS, parents=st.lists(st.tuples(st.integers(0, 2**256 - 1), st.integers(0, 2**32 - 1)), max_size=4)
)
def test_a_wallet_signs_the_same_digest(kind: LabourKind, parents: list[tuple[int, int]]) -> None:
    """SPEC 1.77: an independent EIP-712 encoder agrees, arrays included."""
    one = record(3, tuple(parents), kind)
    fields = [part.split(" ") for part in LABOUR_TYPE.removeprefix("Labour(").removesuffix(")").split(",")]
    message = encode_typed_data(
        {"name": "OpenLedger Labour", "version": "1", "chainId": 5, "verifyingContract": CONTRACT},
        {"Labour": [{"name": name, "type": kind_of} for kind_of, name in fields]},
        {
            "datanetId": one.datanet,
            "account": one.account,
            "kind": int(one.kind),
            "workCid": one.work_cid,
            "parents": [parent for parent, _ in parents],
            "parentsPpm": [ppm for _, ppm in parents],
            "deadline": one.deadline,
        },
    )
    digest = labour_digest(one, labour_domain(5, CONTRACT), keccak)
    signer = signer_of(keccak(b"labourer"))
    assert Account.recover_message(message, signature=signer.sign_digest(digest)).lower() == signer.address
