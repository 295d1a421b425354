"""The ledger in a SQLite file: the default of the command line, for one machine and any number of its processes."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Final

from engine.ports import RESERVED, Entry, LedgerUnreadable

from .records import check_run_id, from_utf8, read_body, utf8, write_body, write_time

VERSION: Final = 1
"""The shape of the tables; raised with every change that an older version could not read."""

_WAIT: Final = 30
"""Seconds to wait for another process's write. Each holds the lock for milliseconds: longer means it hangs."""

# Text is bound as bytes and cast, so that half of a surrogate pair, which JSON can carry, is stored like any other.
_SCHEMA: Final = (
    "CREATE TABLE schema_version (version INTEGER NOT NULL)",
    "CREATE TABLE runs (run TEXT PRIMARY KEY) WITHOUT ROWID",
    """CREATE TABLE entries (seq INTEGER PRIMARY KEY, run TEXT NOT NULL, id TEXT NOT NULL, kind TEXT NOT NULL,
       about TEXT NOT NULL, at TEXT NOT NULL, body TEXT NOT NULL, UNIQUE (run, id))""",
    "CREATE INDEX entries_about ON entries (run, about)",
    "CREATE TABLE claims (key TEXT PRIMARY KEY, holder TEXT NOT NULL, until TEXT NOT NULL) WITHOUT ROWID",
)


class SqliteLedger:
    """A `Ledger` in one file; safe for several threads, and for several processes on one machine."""

    def __init__(self, path: Path) -> None:
        """Open the file, and create it with its folder where there is none.

        Raises:
            LedgerUnreadable: it is no ledger, was written by a newer version, or cannot be opened.
        """
        self._path = path
        self._lock = threading.RLock()
        with self._telling():
            path.parent.mkdir(parents=True, exist_ok=True)
            # Transactions are begun by hand: they must take the write lock at once, or two writers deadlock.
            self._connection = sqlite3.connect(path, timeout=_WAIT, isolation_level=None, check_same_thread=False)
        self._connection.text_factory = from_utf8
        try:
            with self._telling():
                self._prepare()
        except LedgerUnreadable:
            self._connection.close()
            raise

    def append(self, entries: Sequence[Entry]) -> tuple[bool, ...]:
        for run in {entry.run for entry in entries}:
            check_run_id(run)
        with self._writing() as connection:
            connection.executemany(
                "INSERT INTO runs VALUES (CAST(? AS TEXT)) ON CONFLICT DO NOTHING",
                [(utf8(run),) for run in {entry.run for entry in entries} if not run.startswith(RESERVED)],
            )
            return tuple(
                connection.execute(
                    "INSERT INTO entries (run, id, kind, about, at, body) VALUES"
                    " (CAST(? AS TEXT), CAST(? AS TEXT), CAST(? AS TEXT), CAST(? AS TEXT), ?, ?)"
                    " ON CONFLICT DO NOTHING",
                    (
                        *(utf8(text) for text in (entry.run, entry.id, entry.kind, entry.about)),
                        write_time(entry.at),
                        write_body(entry.body),
                    ),
                ).rowcount
                == 1
                for entry in entries
            )

    def entries(self, run: str, *, about: str | None = None, kinds: frozenset[str] | None = None) -> tuple[Entry, ...]:
        of_about = "" if about is None else " AND about = CAST(? AS TEXT)"
        # Narrowed there and not here: the plans of a large run are megabytes, and most questions are not about them.
        of_kinds = "" if kinds is None else f" AND kind IN ({', '.join(['CAST(? AS TEXT)'] * len(kinds))})"
        texts = [run, *([] if about is None else [about]), *sorted(kinds or ())]
        with self._reading() as connection:
            rows = connection.execute(
                f"SELECT id, kind, about, at, body FROM entries WHERE run = CAST(? AS TEXT){of_about}{of_kinds} ORDER BY seq",  # noqa: E501, S608 - made of literals
                [utf8(text) for text in texts],
            ).fetchall()
            return tuple(
                Entry(run=run, id=id_, kind=kind, at=datetime.fromisoformat(at), body=read_body(body), about=about_)
                for id_, kind, about_, at, body in rows
            )

    def runs(self, limit: int, before: str | None = None) -> tuple[str, ...]:
        older = "" if before is None else "WHERE run < CAST(:before AS TEXT)"
        with self._reading() as connection:
            rows = connection.execute(
                f"SELECT run FROM runs {older} ORDER BY run DESC LIMIT :limit",  # noqa: S608 - one of two literals
                {"before": utf8(before or ""), "limit": max(limit, 0)},
            ).fetchall()
        return tuple(run for (run,) in rows)

    def claim(self, key: str, holder: str, now: datetime, until: datetime) -> str:
        with self._writing() as connection:
            connection.execute(
                "INSERT INTO claims VALUES (CAST(:key AS TEXT), CAST(:holder AS TEXT), :until)"
                " ON CONFLICT (key) DO UPDATE SET holder = excluded.holder, until = excluded.until"
                " WHERE claims.holder = excluded.holder OR claims.until <= :now",
                {"key": utf8(key), "holder": utf8(holder), "until": write_time(until), "now": write_time(now)},
            )
            row = connection.execute("SELECT holder FROM claims WHERE key = CAST(? AS TEXT)", (utf8(key),)).fetchone()
            return str(row[0])

    def holders(self, keys: Sequence[str], now: datetime) -> dict[str, str]:
        wanted = [(key, utf8(key)) for key in dict.fromkeys(keys)]
        with self._reading() as connection:
            found = (
                (
                    key,
                    connection.execute(
                        "SELECT holder FROM claims WHERE key = CAST(? AS TEXT) AND until > ?", (bound, write_time(now))
                    ).fetchone(),
                )
                for key, bound in wanted
            )
            return {key: str(row[0]) for key, row in found if row}

    def release(self, key: str, holder: str) -> None:
        with self._writing() as connection:
            connection.execute(
                "DELETE FROM claims WHERE key = CAST(? AS TEXT) AND holder = CAST(? AS TEXT)", (utf8(key), utf8(holder))
            )

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    def _prepare(self) -> None:
        connection = self._connection
        connection.execute("PRAGMA journal_mode = WAL")
        # In WAL mode a power cut can then lose the newest line; FULL keeps the promise that what was done is recorded.
        connection.execute("PRAGMA synchronous = FULL")
        with self._writing():
            tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
            if not tables:
                for statement in _SCHEMA:
                    connection.execute(statement)
                connection.execute("INSERT INTO schema_version VALUES (?)", (VERSION,))
                return
            version = (
                connection.execute("SELECT max(version) FROM schema_version").fetchone()[0]
                if ("schema_version" in tables)
                else None
            )
        if version is None:
            raise LedgerUnreadable(f"ledger {self._path}: is a database of something else")
        if version > VERSION:
            raise LedgerUnreadable(
                f"ledger {self._path}: was written by a newer version (schema {version}, this one reads {VERSION})"
            )

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._reading() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with self._lock, self._telling():
            yield self._connection

    @contextmanager
    def _telling(self) -> Iterator[None]:
        """SQLite's errors do not name the file."""
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise LedgerUnreadable(f"ledger {self._path}: {error}") from error
