"""What only the file of the command line's ledger has to bear: other files, other versions, other processes."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from adapters.ledgers.sqlite import VERSION, SqliteLedger
from engine.ports import Entry, LedgerUnreadable

ROOT = Path(__file__).parents[2]
NOW = datetime(2026, 3, 9, 2, 0, tzinfo=UTC)


def test_its_folder_is_made_where_there_is_none(tmp_path: Path) -> None:
    path = tmp_path / "not" / "yet" / "ledger.sqlite"
    SqliteLedger(path).close()
    assert path.is_file()


def test_a_file_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    """An older program would misread it; the message says so."""
    path = tmp_path / "ledger.sqlite"
    SqliteLedger(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE schema_version SET version = ?", (VERSION + 1,))
    connection.close()

    with pytest.raises(LedgerUnreadable, match=r"ledger\.sqlite: was written by a newer version \(schema 2"):
        SqliteLedger(path)


def test_a_file_that_is_no_database_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("Not a database, and somebody still needs it.\n" * 50)

    with pytest.raises(LedgerUnreadable, match=r"notes\.txt: file is not a database"):
        SqliteLedger(path)

    assert path.read_text().startswith("Not a database")


def test_a_database_of_something_else_gets_no_tables_of_ours(tmp_path: Path) -> None:
    path = tmp_path / "inventory.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE machines (name TEXT)")
    connection.close()

    with pytest.raises(LedgerUnreadable, match=r"inventory\.sqlite: is a database of something else"):
        SqliteLedger(path)

    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT name FROM sqlite_schema").fetchall() == [("machines",)]
    connection.close()


def test_a_folder_is_no_ledger(tmp_path: Path) -> None:
    with pytest.raises(LedgerUnreadable, match="unable to open database file"):
        SqliteLedger(tmp_path)


def test_a_file_in_the_way_of_the_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(LedgerUnreadable, match=r"file/ledger\.sqlite"):
        SqliteLedger(tmp_path / "file" / "ledger.sqlite")


def test_a_ledger_that_was_closed_says_so(tmp_path: Path) -> None:
    ledger = SqliteLedger(tmp_path / "ledger.sqlite")
    ledger.close()
    with pytest.raises(LedgerUnreadable, match="closed"):
        ledger.runs(1)


def test_a_failed_append_writes_nothing_of_its_batch(tmp_path: Path) -> None:
    """A body that is not JSON is the caller's mistake; half a batch would be ours."""
    ledger = SqliteLedger(tmp_path / "ledger.sqlite")
    good = Entry(run="run", id="good", kind="run", at=NOW, body={})
    bad = Entry(run="run", id="bad", kind="run", at=NOW, body={"time": NOW})  # type: ignore[dict-item]

    with pytest.raises(TypeError):
        ledger.append([good, bad])

    assert ledger.entries("run") == ()
    assert ledger.append([good]) == (True,)
    ledger.close()


PROGRAM = """
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from adapters.ledgers.sqlite import SqliteLedger
from engine.ports import Entry

path, name = Path(sys.argv[1]), sys.argv[2]
now = datetime(2026, 3, 9, 2, 0, tzinfo=UTC)
ledger = SqliteLedger(path)
for number in range(40):
    shared = Entry(run="run", id=f"shared-{number}", kind="step", at=now, body={"by": name})
    own = Entry(run="run", id=f"{name}-{number}", kind="step", at=now, body={})
    print(number, *ledger.append([shared, own]), ledger.claim(f"key-{number}", name, now, now + timedelta(hours=1)))
"""


def test_processes_that_start_together_share_one_file(tmp_path: Path) -> None:
    """They create it at the same time, none is turned away, and of each shared entry exactly one is the writer."""
    path = tmp_path / "ledger.sqlite"
    processes = {
        name: subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(path), name], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        for name in ("a", "b", "c")
    }
    said = {name: process.communicate(timeout=60)[0].splitlines() for name, process in processes.items()}

    assert [process.returncode for process in processes.values()] == [0, 0, 0]
    ledger = SqliteLedger(path)
    entries = {entry.id: entry for entry in ledger.entries("run")}
    assert len(entries) == 4 * 40
    for number in range(40):
        lines = {name: said[name][number].split() for name in said}
        (writer,) = [name for name, line in lines.items() if line[1] == "True"]
        assert entries[f"shared-{number}"].body == {"by": writer}
        assert len({line[3] for line in lines.values()}) == 1
        assert ledger.claim(f"key-{number}", "late", NOW, NOW + timedelta(minutes=1)) == lines["a"][3]
    ledger.close()
