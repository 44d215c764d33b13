"""Jobs: a state is only ever left for the next one, and only by whoever holds the newest assignment."""

from dataclasses import replace
from pathlib import Path

import pytest

from node.errors import Conflict, NotFound, StaleFence
from node.store.database import open_database
from node.store.jobs import IdempotencyConflict, JobStore, StoredJob

JOB = StoredJob(b"\1" * 32, b"\2" * 32, "key", b"\3" * 32, None, "{}", "{}", b"\4" * 32, 10**30, 6, 7)


@pytest.fixture
def jobs(tmp_path: Path) -> JobStore:
    return JobStore(open_database(tmp_path / "node.sqlite"))


def test_a_job_reads_back_as_it_was_recorded_and_only_once(jobs: JobStore) -> None:
    """SPEC 6.43"""
    jobs.insert(JOB)
    assert jobs.get(JOB.request_id) == JOB
    with pytest.raises(Conflict):
        jobs.insert(replace(JOB, body_digest=b"\5" * 32))
    with pytest.raises(NotFound):
        jobs.get(b"\6" * 32)


def test_the_same_key_with_another_body_conflicts(jobs: JobStore) -> None:
    """SPEC 6.43"""
    assert jobs.find_same(JOB.request_id, JOB.body_digest) is None
    jobs.insert(JOB)
    assert jobs.find_same(JOB.request_id, JOB.body_digest) == JOB
    with pytest.raises(IdempotencyConflict):
        jobs.find_same(JOB.request_id, b"\5" * 32)


def test_an_answered_job_is_neither_answered_again_nor_given_up(jobs: JobStore) -> None:
    """SPEC 6.43, 4.31"""
    jobs.insert(JOB)
    fence = jobs.next_fence(JOB.request_id)
    jobs.answer(JOB.request_id, fence, "first")
    with pytest.raises(StaleFence):
        jobs.answer(JOB.request_id, fence, "second")
    jobs.abandon(JOB.request_id, "too late")
    assert (jobs.get(JOB.request_id).state, jobs.get(JOB.request_id).result_json) == ("answered", "first")
    with pytest.raises(Conflict):
        jobs.revive(JOB)


def test_a_job_given_up_reserves_nothing_and_may_be_asked_again(jobs: JobStore) -> None:
    """SPEC 4.32"""
    jobs.insert(JOB)
    assert jobs.reserved(JOB.channel_id) == JOB.reserved
    first = jobs.next_fence(JOB.request_id)
    jobs.abandon(JOB.request_id, "worker gone")
    assert jobs.reserved(JOB.channel_id) == 0
    jobs.revive(replace(JOB, reserved=3))
    assert (jobs.reserved(JOB.channel_id), jobs.counts()) == (3, {"accepted": 1})
    assert jobs.next_fence(JOB.request_id) > first


def test_a_receipted_job_reserves_nothing(jobs: JobStore) -> None:
    """SPEC 6.44"""
    jobs.insert(JOB)
    jobs.answer(JOB.request_id, jobs.next_fence(JOB.request_id), "answer")
    assert jobs.reserved(JOB.channel_id) == JOB.reserved
    jobs.mark_receipted(JOB.request_id)
    assert jobs.reserved(JOB.channel_id) == 0
    assert [job.request_id for job in jobs.in_state("receipted")] == [JOB.request_id]
