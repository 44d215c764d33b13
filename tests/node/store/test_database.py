"""The database keeps what it committed, keeps nothing it rolled back, and refuses a second process."""

import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from node.store.database import DatabaseUnusable, DatadirInUse, lock_datadir, open_database, schema_scripts


@pytest.fixture
def database(tmp_path: Path):
    opened = open_database(tmp_path / "node.sqlite")
    opened.execute("CREATE TABLE ledger (account TEXT PRIMARY KEY, amount INTEGER NOT NULL) STRICT")
    yield opened
    opened.close()


def amounts(database) -> dict[str, int]:
    return {row["account"]: row["amount"] for row in database.execute("SELECT account, amount FROM ledger")}


def insert_together(database, *accounts: str) -> None:
    with database.transaction():
        for account in accounts:
            database.execute("INSERT INTO ledger VALUES (?, 1)", (account,))


def test_every_commit_is_synced_and_logged_ahead(database) -> None:
    """SPEC 1.1"""
    assert database.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
    assert database.execute("PRAGMA synchronous").fetchone()[0] == 2
    assert database.execute("PRAGMA foreign_keys").fetchone()[0] == 1


def test_a_failed_transaction_leaves_nothing(database) -> None:
    """SPEC 1.1"""
    with pytest.raises(sqlite3.IntegrityError):
        insert_together(database, "a", "a")
    assert amounts(database) == {}


def test_a_failed_nested_transaction_undoes_only_itself(database) -> None:
    """SPEC 1.1"""
    with database.transaction():
        database.execute("INSERT INTO ledger VALUES ('outer', 1)")
        with pytest.raises(sqlite3.IntegrityError):
            insert_together(database, "inner", "outer")
        database.executemany("INSERT INTO ledger VALUES (?, ?)", [("b", 2), ("c", 3)])
    assert amounts(database) == {"outer": 1, "b": 2, "c": 3}


def test_threads_never_interleave_inside_a_transaction(database) -> None:
    """SPEC 1.1"""
    database.execute("INSERT INTO ledger VALUES ('shared', 0)")

    def add_many() -> None:
        for _ in range(25):
            with database.transaction():
                read = database.execute("SELECT amount FROM ledger").fetchone()["amount"]
                database.execute("UPDATE ledger SET amount = ?", (read + 1,))

    threads = [threading.Thread(target=add_many) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert amounts(database) == {"shared": 100}


def test_a_killed_process_keeps_its_commits_and_only_those(tmp_path: Path) -> None:
    """SPEC 1.1"""
    path = tmp_path / "node.sqlite"
    child = (
        "import os, signal, sys\n"
        "from node.store.database import open_database\n"
        "database = open_database(sys.argv[1])\n"
        "database.execute('CREATE TABLE kept (n INTEGER) STRICT')\n"
        "database.execute('INSERT INTO kept VALUES (1)')\n"
        "with database.transaction():\n"
        "    database.execute('INSERT INTO kept VALUES (2)')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    assert subprocess.run([sys.executable, "-c", child, str(path)], check=False).returncode == -9
    reopened = open_database(path)
    assert [row["n"] for row in reopened.execute("SELECT n FROM kept")] == [1]
    reopened.close()


def test_opening_again_applies_the_schema_without_loss(tmp_path: Path) -> None:
    """SPEC 1.1"""
    path = tmp_path / "node.sqlite"
    first = open_database(path)
    tables = {row["name"] for row in first.execute("SELECT name FROM sqlite_master")}
    first.close()
    second = open_database(path)
    assert {row["name"] for row in second.execute("SELECT name FROM sqlite_master")} == tables
    assert schema_scripts() == tuple(sorted(schema_scripts()))
    second.close()


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    """SPEC 1.1"""
    path = tmp_path / "node.sqlite"
    path.write_bytes(b"this is a text file, not a database\n" * 100)
    with pytest.raises(DatabaseUnusable, match="not a database"):
        open_database(path)
    assert path.read_bytes().startswith(b"this is a text file")


def test_a_second_process_is_refused_and_told_who_holds_the_datadir(tmp_path: Path) -> None:
    """SPEC 1.2"""
    child = (
        "import sys\n"
        "from node.store.database import DatadirInUse, lock_datadir\n"
        "try:\n"
        "    lock_datadir(sys.argv[1])\n"
        "except DatadirInUse as error:\n"
        "    sys.exit(error.holder)\n"
    )
    command = [sys.executable, "-c", child, str(tmp_path)]
    with lock_datadir(tmp_path) as held:
        refused = subprocess.run(command, capture_output=True, text=True, check=False)
        with pytest.raises(DatadirInUse):
            lock_datadir(tmp_path)
        holder = (held.path / "node.lock").read_text().strip()
    assert (refused.returncode, refused.stderr.strip()) == (1, holder)
    assert subprocess.run(command, check=False).returncode == 0


def test_a_killed_holder_leaves_no_lock_behind(tmp_path: Path) -> None:
    """SPEC 1.2"""
    child = (
        "import os, signal, sys\n"
        "from node.store.database import lock_datadir\n"
        "lock = lock_datadir(sys.argv[1])\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    assert subprocess.run([sys.executable, "-c", child, str(tmp_path)], check=False).returncode == -9
    assert (tmp_path / "node.lock").exists()
    lock_datadir(tmp_path).release()
