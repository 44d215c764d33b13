"""Brings a database that an older node wrote to what this one reads, each step once and whole or not at all.

The schema files add tables and columns by themselves; what stands here changes rows. SQLite's `user_version`
counts the steps that a file has behind it.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from typing import Any

from node.errors import IntegrityError

Step = Callable[[sqlite3.Connection], None]
# The parameters that an order held by itself before there was a record for them.
FORMER_PARAMETERS = ("temperature", "top_p", "seed", "stop")
# What the parameters that did not exist yet were in effect, as the record spells them.
UNCHANGED = {
    "top_k": 0,
    "min_p": 0.0,
    "frequency_penalty": 0.0,
    "presence_penalty": 0.0,
    "repetition_penalty": 1.0,
    "logit_bias": [],
    "json_schema": None,
    "logprobs": None,
}


class DatabaseTooNew(IntegrityError):
    """A newer node wrote this database; `steps` and `known` count migrations."""


def migrate(connection: sqlite3.Connection) -> None:
    """Run the steps that this file lacks. Raises DatabaseTooNew."""
    while _step(connection):
        pass


def _step(connection: sqlite3.Connection) -> bool:
    """Whether a step was missing; then it is done."""
    # The count is read under the writer's lock, for another process may be opening the same file.
    connection.execute("BEGIN IMMEDIATE")
    try:
        done = int(connection.execute("PRAGMA user_version").fetchone()[0])
        if done > len(STEPS):
            raise DatabaseTooNew(
                "a newer node wrote this database; run that one", steps=done, known=len(STEPS)
            )
        if done < len(STEPS):
            STEPS[done](connection)
            connection.execute(f"PRAGMA user_version = {done + 1}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return done < len(STEPS)


def _keep_sampling_as_a_record(connection: sqlite3.Connection) -> None:
    """Orders get a sampling record, and the tokens of answers a place for scores."""
    ids = [row[0] for row in connection.execute("SELECT request_id FROM jobs").fetchall()]
    for request_id in ids:
        order, result = connection.execute(
            "SELECT order_json, result_json FROM jobs WHERE request_id = ?", (request_id,)
        ).fetchone()
        connection.execute(
            "UPDATE jobs SET order_json = ?, result_json = ? WHERE request_id = ?",
            (order_with_sampling(order), None if result is None else result_with_scores(result), request_id),
        )


def order_with_sampling(text: str) -> str:
    """The order as it is kept now; one that is so already stays as it is."""
    order: dict[str, Any] = json.loads(text)
    if "sampling" in order:
        return text
    former = {name: order.pop(name) for name in FORMER_PARAMETERS}
    return json.dumps({**order, "sampling": {**former, **UNCHANGED}}, separators=(",", ":"), sort_keys=True)


def result_with_scores(text: str) -> str:
    """The answer as it is kept now; one that is so already stays as it is."""
    answer: dict[str, Any] = json.loads(text)
    tokens = [[*token, None] if len(token) == 2 else token for token in answer["tokens"]]
    return json.dumps({**answer, "tokens": tokens}, separators=(",", ":"))


# Only ever added to at the end: what a file has behind it is counted, not named.
STEPS: tuple[Step, ...] = (_keep_sampling_as_a_record,)
