"""The workspace's log tables, in DuckDB.

A table is stored as `<Table>__rows`; the name that queries use is a view over it, which applies the time span of the
request. Each query runs on a cursor of its own.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Mapping
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Final

import duckdb
import duckdb_kql

from model.documents import Document, Json
from simulator import kql
from simulator.kql import quoted
from simulator.schemas import COMMON, DUCKDB_TYPES, SCHEMAS, Schema

_SAMPLE: Final = 200
"""Rows that are looked at to type columns that no schema names."""


class LogStore:
    """Tables of one workspace; a table that was given no rows exists only if it was named."""

    def __init__(self, workspace_guid: str, logs: Mapping[str, Iterable[Document]]) -> None:
        self.connection = duckdb_kql.connect()
        # One thread: sets and lists then come in the same order in every repetition of a run.
        self.connection.execute("SET threads = 1")
        self.workspace_guid = workspace_guid
        self.schemas: dict[str, Schema] = {}
        self._names = kql.Names.of({})
        for table, rows in logs.items():
            self.append(table, rows)

    def append(self, table: str, rows: Iterable[Document]) -> None:
        """Add rows; the table and columns that are new come into being."""
        iterator = iter(rows)
        first = list(islice(iterator, _SAMPLE))
        self._declare(table, first)
        schema = self.schemas[table]
        # One temporary file and one statement: half a million rows load in seconds, a statement a row would not.
        with tempfile.NamedTemporaryFile("w", suffix=".ndjson", encoding="utf-8") as file:
            some = False
            for batch in (first, iterator):
                for row in batch:
                    file.write(json.dumps(row, separators=(",", ":")) + "\n")
                    some = True
            file.flush()
            if some:
                self.connection.execute(self._load_statement(table, schema, Path(file.name)))

    def query(self, text: str, now: datetime, since: datetime | None, until: datetime | None) -> kql.Result:
        """Run KQL over what lies in `since` (included) to `until` (left out). Raises `QueryRejected`."""
        cursor = self.connection.cursor()
        try:
            cursor.execute("SET TimeZone='UTC'")
            for name, value in (("since", since), ("until", until)):
                if value is not None:
                    cursor.execute(f"SET VARIABLE {name} = TIMESTAMP '{value.replace(tzinfo=None).isoformat(' ')}'")
            return kql.execute(cursor, text, now, self._names)
        finally:
            cursor.close()

    def sql(self, statement: str, *parameters: object) -> list[tuple[object, ...]]:
        """The simulator's own look at the tables."""
        result: duckdb.DuckDBPyConnection = self.connection.execute(statement, list(parameters))
        return result.fetchall()

    def _declare(self, table: str, sample: list[Document]) -> None:
        schema = dict(self.schemas.get(table) or SCHEMAS.get(table) or {"TimeGenerated": "datetime", **COMMON})
        for row in sample:
            for column, value in row.items():
                if column not in schema and value is not None:
                    schema[column] = _inferred(column, value)
        if self.schemas.get(table) == schema:
            return
        columns = ", ".join(f"{quoted(name)} {DUCKDB_TYPES[kind]}" for name, kind in schema.items())
        stored = quoted(f"{table}__rows")
        if table in self.schemas:
            for name in schema.keys() - self.schemas[table].keys():
                self.connection.execute(f"ALTER TABLE {stored} ADD COLUMN {quoted(name)} {DUCKDB_TYPES[schema[name]]}")
        else:
            self.connection.execute(f"CREATE TABLE {stored} ({columns})")
        self.schemas[table] = schema
        self._names = kql.Names.of(self.schemas)
        self.connection.execute(
            f"CREATE OR REPLACE VIEW {quoted(table)} AS SELECT * FROM {stored} "  # noqa: S608 - names are quoted
            "WHERE TimeGenerated >= coalesce(getvariable('since'), TIMESTAMP '0001-01-01') "
            "AND TimeGenerated < coalesce(getvariable('until'), TIMESTAMP '9999-12-31')"
        )

    def _load_statement(self, table: str, schema: Schema, file: Path) -> str:
        read, select = [], []
        for name, kind in schema.items():
            text = kind in {"datetime", "string"}
            read.append(f"{_literal(name)}: '{'VARCHAR' if text else DUCKDB_TYPES[kind]}'")
            column = quoted(name)
            if kind == "datetime":
                # A cast to TIMESTAMP would drop the offset; one to TIMESTAMPTZ applies it, and the session is in UTC.
                select.append(f"timezone('UTC', {column}::TIMESTAMPTZ)")
            elif kind == "string":
                select.append(f"coalesce({column}, {_literal(self._default(table, name))})")
            else:
                select.append(column)
        names = ", ".join(quoted(name) for name in schema)
        source = f"read_json({_literal(str(file))}, format='newline_delimited', columns={{{', '.join(read)}}})"
        return f"INSERT INTO {quoted(f'{table}__rows')} ({names}) SELECT {', '.join(select)} FROM {source}"  # noqa: S608 - names are ours

    def _default(self, table: str, column: str) -> str:
        return {"Type": table, "TenantId": self.workspace_guid, "_IsBillable": "True"}.get(column, "")


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _inferred(column: str, value: Json) -> str:
    match value:
        case bool():
            return "bool"
        case int():
            return "long"
        case float():
            return "real"
        case dict() | list():
            return "dynamic"
        case _:
            return "datetime" if column.startswith("Time") or column.endswith(("Time", "Date")) else "string"
