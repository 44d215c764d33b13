"""A database that an older node wrote serves this one: nothing is lost, nothing is done twice."""

import json
import sqlite3
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.serving.answer import Answer
from node.serving.live import Token
from node.serving.model import ServedModel
from node.serving.order import Order
from node.store import migrations
from node.store.database import open_database
from node.store.jobs import JobStore
from node.store.migrations import DatabaseTooNew, order_with_sampling, result_with_scores
from protocol.sampling import Sampling

OLD = Path(__file__).parent / "jobs_before_sampling.sql"
CHAT = (("system", "be brief"), ("user", 'say "sampling":{} é \U0001f600'))
FORMER = Sampling(temperature=0.7, top_p=0.9999999999999999, seed=2**53 - 1, stop=("\n", "END"))
PROMPT = Order(None, "Code 1", 3, Sampling(temperature=0.1))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file as a node left it that knew no sampling record."""
    made = sqlite3.connect(tmp_path / "node.sqlite")
    made.executescript(OLD.read_text("utf-8"))
    made.close()
    return tmp_path / "node.sqlite"


def dump(path: Path) -> list[str]:
    opened = sqlite3.connect(path)
    try:
        return list(opened.iterdump())
    finally:
        opened.close()


def test_every_job_of_before_is_read_as_what_it_was(path: Path) -> None:
    """SPEC 4.206"""
    jobs = JobStore(open_database(path))
    orders = {number: Order.from_json(jobs.get(bytes([number]) * 32).order_json) for number in range(1, 6)}
    chat = Order(CHAT, None, 16, FORMER)
    assert orders == {1: chat, 2: PROMPT, 3: chat, 4: PROMPT, 5: PROMPT}
    answers = [jobs.get(bytes([number]) * 32).result_json for number in range(1, 6)]
    assert [text is None for text in answers] == [True, False, False, False, True]
    said = Answer.from_json(answers[1] or "")
    assert said.tokens == (Token("a", 10), Token("é", 11), Token("", 2))
    assert said.result.output_ids == (10, 11, 2) and Answer.from_json(answers[3] or "").tokens == ()
    assert jobs.counts() == {"accepted": 1, "answered": 2, "receipted": 1, "abandoned": 1}
    assert ServedModel.from_json(jobs.get(b"\1" * 32).model_json).chosen == ""


def test_only_what_changed_its_form_is_written(path: Path) -> None:
    """SPEC 4.206: states, fences, reservations, salts and models stay to the byte."""
    columns = "request_id, body_digest, model_json, prompt_salt, reserved, state, fence, failure"
    before = sqlite3.connect(path).execute(f"SELECT {columns} FROM jobs").fetchall()
    after = open_database(path).execute(f"SELECT {columns} FROM jobs")
    assert [tuple(row) for row in after] == before


def test_a_file_is_migrated_once_and_a_second_start_changes_nothing(path: Path) -> None:
    """SPEC 4.206"""
    open_database(path).close()
    once = dump(path)
    open_database(path).close()
    assert dump(path) == once
    assert sqlite3.connect(path).execute("PRAGMA user_version").fetchone() == (len(migrations.STEPS),)


def test_a_step_that_breaks_leaves_the_file_as_it_was(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SPEC 4.206: power may go at any row."""
    before, seen = sqlite3.connect(path).execute("SELECT * FROM jobs").fetchall(), []

    def cut(text: str) -> str:
        seen.append(text)
        if len(seen) == 3:
            raise OSError("the power went")
        return order_with_sampling(text)

    with monkeypatch.context() as broken:
        broken.setattr(migrations, "order_with_sampling", cut)
        with pytest.raises(OSError, match="power"):
            open_database(path)
    assert sqlite3.connect(path).execute("SELECT * FROM jobs").fetchall() == before
    assert Order.from_json(JobStore(open_database(path)).get(b"\5" * 32).order_json) == PROMPT


def test_the_file_of_a_newer_node_is_refused(path: Path) -> None:
    """SPEC 4.206"""
    open_database(path).execute("PRAGMA user_version = 9999")
    with pytest.raises(DatabaseTooNew, match="9999"):
        open_database(path)


@given(st.floats(0, 2), st.floats(0, 1), st.integers(0, 2**53 - 1), st.lists(st.text(min_size=1, max_size=9)))
def test_no_parameter_loses_a_bit(temperature: float, top_p: float, seed: int, stop: list[str]) -> None:
    """SPEC 4.206"""
    former = {
        "messages": None,
        "prompt": "p",
        "max_tokens": 3,
        "temperature": temperature,
        "top_p": top_p,
        "seed": seed,
        "stop": stop[:16],
    }
    migrated = order_with_sampling(json.dumps(former, sort_keys=True))
    expected = Sampling(temperature=temperature, top_p=top_p, seed=seed, stop=tuple(stop[:16]))
    assert Order.from_json(migrated) == Order(None, "p", 3, expected)
    assert order_with_sampling(migrated) == migrated
    answer = result_with_scores(json.dumps({"tokens": [[1, text] for text in stop], "result": {}}))
    assert json.loads(answer)["tokens"] == [[1, text, None] for text in stop]
    assert result_with_scores(answer) == answer
