"""The issuer: places without gaps, one digest for ever, and a signature of nothing else."""

import threading
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from node.chain.keccak import keccak
from node.chain.signer import recover_receipt, signer_of
from node.errors import IntegrityError
from node.receipts.issuer import Draft, Issuer, stored_receipt
from node.receipts.log import stored_report, stored_terms
from node.store.database import Database, open_database
from node.store.receipts import ReceiptStore
from protocol.attribution import AttributionReport, Entry, Lane, attribution_root
from protocol.eip712 import receipts_domain
from protocol.parameters import DEFAULTS
from protocol.rewards import Terms
from protocol.types import Address

NODE = Address("0x" + "01" * 20)
OWNER = Address("0x" + "02" * 20)
DOMAIN = receipts_domain(31337, Address("0x" + "03" * 20))
SIGNER = signer_of(b"\1" * 32)
CHANNEL = b"\5" * 32
REPORT = AttributionReport((Entry(Lane.GRADIENT, 3, OWNER, 600_000),), 400_000, b"\7" * 32)
TERMS = Terms(OWNER, NODE, NODE, OWNER, ((NODE, 10),), ((OWNER, 1_000_000),), ((OWNER, 1_000_000),))


def draft(number: int, price: int = 100, channel: bytes = CHANNEL) -> Draft:
    return Draft(
        request_id=number.to_bytes(32, "big"),
        channel_id=channel,
        model_id=2**200,
        datanet_version_key=2**70,
        prompt_digest=b"\1" * 32,
        output_root=b"\2" * 32,
        profile_id=b"\3" * 32,
        prompt_tokens=5,
        output_tokens=6,
        price=price,
        requested_at=1_000,
        report=REPORT,
        terms=TERMS,
        parameters=DEFAULTS,
        evidence={"spans": [], "tokenTexts": ["é"]},
    )


def issuer(database: Database, key: bytes = b"\1" * 32, now: int = 2_000) -> Issuer:
    return Issuer(database, DOMAIN, signer_of(key), NODE, keccak, lambda: now)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=15, deadline=None)
@given(
    plan=st.lists(st.tuples(st.sampled_from([b"\5" * 32, b"\6" * 32]), st.integers(0, 2**100)), max_size=8)
)
def test_places_have_no_gap_and_cumulative_is_the_sum(
    tmp_path_factory: pytest.TempPathFactory, plan: list[tuple[bytes, int]]
) -> None:
    """SPEC 6.42"""
    database = open_database(tmp_path_factory.mktemp("issuer") / "node.sqlite")
    sums: dict[bytes, list[int]] = {}
    for number, (channel, price) in enumerate(plan):
        receipt = stored_receipt(issuer(database).record(draft(number, price, channel)))
        sums.setdefault(channel, []).append(price)
        assert (receipt.seq, receipt.cumulative) == (len(sums[channel]), sum(sums[channel]))
    database.close()


def test_threads_that_finish_together_get_places_of_their_own(database: Database) -> None:
    """SPEC 6.42"""
    threads = [threading.Thread(target=issuer(database).record, args=(draft(n),)) for n in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    receipts = ReceiptStore(database).of_channel(CHANNEL)
    assert [one.seq for one in receipts] == list(range(1, 13))
    assert [one.cumulative for one in receipts] == [100 * place for place in range(1, 13)]


def test_the_first_record_of_a_request_stays(database: Database) -> None:
    """SPEC 6.41: another answer for the same request gets the receipt that is there."""
    first = issuer(database).record(draft(1))
    other = replace(draft(1, price=999), output_root=b"\x09" * 32)
    assert issuer(database, now=9_999).record(other) == first
    assert ReceiptStore(database).totals() == (1, 100)


def test_signing_again_gives_the_same_signature_of_the_recorded_digest(database: Database) -> None:
    """SPEC 6.41"""
    stored = issuer(database).record(draft(1))
    signed = issuer(database).sign(stored.request_id)
    assert signed.signature is not None
    assert recover_receipt(stored_receipt(signed), signed.signature, DOMAIN) == SIGNER.address
    database.execute("UPDATE receipts SET signature = NULL")
    assert issuer(database).unsigned() == (stored.request_id,)
    assert issuer(database).sign(stored.request_id) == signed
    assert issuer(database).unsigned() == ()


@pytest.mark.parametrize("column", ["digest", "body", "signer"])
def test_what_was_changed_on_disk_is_not_signed(database: Database, column: str) -> None:
    """SPEC 6.41"""
    stored = issuer(database).record(draft(1))
    changed = {
        "digest": b"\7" * 32,
        "body": stored.body.replace('"price":"100"', '"price":"101"'),
        "signer": "0x" + "09" * 20,
    }
    assert changed[column] != getattr(stored, column)
    database.execute(f"UPDATE receipts SET {column} = ?", (changed[column],))
    with pytest.raises(IntegrityError):
        issuer(database).sign(stored.request_id)


def test_a_key_signs_only_what_was_recorded_for_it(database: Database) -> None:
    """SPEC 6.41"""
    stored = issuer(database).record(draft(1))
    with pytest.raises(IntegrityError):
        issuer(database, key=b"\2" * 32).sign(stored.request_id)


def test_a_receipt_commits_to_its_report_and_keeps_what_explains_it(database: Database) -> None:
    """SPEC 6.50"""
    stored = issuer(database).record(draft(1))
    receipt = stored_receipt(stored)
    assert receipt.attribution_root == attribution_root(REPORT, keccak)
    assert (receipt.method_id, receipt.parameters_version) == (REPORT.method_id, DEFAULTS.version)
    assert stored_report(stored) == REPORT
    assert stored_terms(stored) == TERMS
    accruals = ReceiptStore(database).accruals_of(stored.request_id)
    assert sum(one.amount for one in accruals) == receipt.price


def test_no_receipt_is_issued_before_it_was_asked_for(database: Database) -> None:
    """SPEC 6.42: a clock that went back changes nothing about the order."""
    assert issuer(database, now=5).record(draft(1)).issued_at == 1_000
