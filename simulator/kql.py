"""KQL executed in DuckDB: a query in, typed columns and rows in Log Analytics' wire form out.

`now()` and `ago()` are the simulated clock's. A construct that `duckdb-kql` lacks is an error, never an empty answer.
`column_ifexists` is one it lacks; it is put in its place here, because Microsoft's queries on Heartbeat use it.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Final

import duckdb
import duckdb_kql
from duckdb_kql.types import kusto_type

from model.documents import Json
from simulator.text_columns import without_type_questions

_ANY_TIME: Final = datetime(2000, 1, 1, tzinfo=UTC)


class QueryRejected(Exception):
    """The query cannot be answered; `inner` is Log Analytics' inner error code."""

    def __init__(self, inner: str, message: str) -> None:
        super().__init__(message)
        self.inner = inner
        self.message = message


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    name: str
    type: str
    """Log Analytics' name of the type: `string`, `datetime`, `dynamic` …"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    columns: tuple[Column, ...]
    rows: list[tuple[object, ...]]
    """As DuckDB gives them; `wire_rows` and `objects` say them in JSON."""

    def wire_rows(self) -> list[list[Json]]:
        """Rows as the query API sends them: dynamic values are JSON text inside a string."""
        writers = [_WRITERS.get(column.type, _text) for column in self.columns]
        return [[write(value) for write, value in zip(writers, row, strict=True)] for row in self.rows]

    def objects(self) -> list[dict[str, Json]]:
        """Rows as Resource Graph sends them: objects, with dynamic values in place."""
        writers = [_dynamic_in_place if c.type == "dynamic" else _WRITERS.get(c.type, _text) for c in self.columns]
        names = [column.name for column in self.columns]
        return [
            {name: write(value) for name, write, value in zip(names, writers, row, strict=True)} for row in self.rows
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """What a query may name. Kusto tells case apart and DuckDB does not, so this is where it is told apart."""

    shape: tuple[tuple[str, tuple[str, ...]], ...]
    """Every table with its columns, in order."""
    tables: frozenset[str]
    """Names of tables that must be spelled exactly so."""
    columns: frozenset[str]
    texts: frozenset[str]
    """Columns that hold text in every table that has them."""

    @classmethod
    def of(cls, shape: Mapping[str, Mapping[str, str]], *, tables_in_any_case: bool = False) -> Names:
        """The tables' names to their columns' names to these columns' types, as Log Analytics names them."""
        ordered = tuple((table, tuple(columns)) for table, columns in shape.items())
        kinds = [(name, kind) for columns in shape.values() for name, kind in columns.items()]
        return cls(
            texts=frozenset(name for name, _ in kinds) - {name for name, kind in kinds if kind != "string"},
            shape=ordered,
            tables=frozenset() if tables_in_any_case else frozenset(shape),
            columns=frozenset(column for _, columns in ordered for column in columns),
        )


def execute(connection: duckdb.DuckDBPyConnection, query: str, now: datetime, names: Names) -> Result:
    """Run `query` at `now`.

    Raises:
        QueryRejected: it does not parse, names what does not exist, or needs a construct that is not simulated.
    """
    if not query.strip():
        raise QueryRejected("SyntaxError", "A query must be given.")
    try:
        sql, parameters = _translated(query, names)
        # The clock is a bound parameter of the statement.
        cursor = connection.execute(sql, {name: now.replace(tzinfo=None) for name in parameters})
        described = cursor.description or []
        columns = tuple(Column(name=str(item[0]), type=kusto_type(item[1])) for item in described)
        return Result(columns=columns, rows=cursor.fetchall())
    except duckdb_kql.KqlSyntaxError as error:
        raise QueryRejected("SyntaxError", f"Query could not be parsed: {error}") from error
    except duckdb_kql.KqlUnsupportedError as error:
        raise QueryRejected("NotSimulated", f"The simulated Azure cannot run this query: {error}") from error
    except duckdb_kql.KqlError as error:
        raise QueryRejected("SemanticError", f"Semantic error: {error}") from error
    except duckdb.CatalogException as error:
        raise QueryRejected("SemanticError", _catalog_message(str(error))) from error
    except duckdb.BinderException as error:
        raise QueryRejected("SemanticError", f"Failed to resolve column or scalar expression: {error}") from error
    except duckdb.Error as error:
        raise QueryRejected("NotSimulated", f"The simulated Azure failed to run this query: {error}") from error


@lru_cache(maxsize=256)
def _translated(query: str, names: Names) -> tuple[str, tuple[str, ...]]:
    """A query as SQL, and the parameters in it that stand for the present.

    Kept, because a sweep asks the same two dozen queries each time, and translating them takes as long as running them.
    """
    tables = {table: list(columns) for table, columns in names.shape}
    text = _replace_column_ifexists(query, names.columns)
    translated = duckdb_kql.to_sql(text, schema=tables, allow_write=False, query_now=_ANY_TIME)
    parameters = dict(translated.parameters or {})
    if any(value != _ANY_TIME.replace(tzinfo=None) for value in parameters.values()):
        raise QueryRejected("NotSimulated", "The simulated Azure cannot run this query: it has parameters of its own")
    sql = without_type_questions(str(translated), names.texts)
    _check_case(sql, names)
    return sql, tuple(parameters)


def _catalog_message(message: str) -> str:
    found = re.search(r"Table with name \"?([^\"\s]+)\"? does not exist", message)
    if found:
        return f"'where' operator: Failed to resolve table or column expression named '{found[1]}'"
    return f"Failed to resolve: {message}"


_TEXTS: Final = re.compile(r"'(?:[^']|'')*'")
_NAMES: Final = re.compile(r'(?P<before>\b(?:FROM|JOIN) |)"(?P<name>[^"]+)"')
_ALIASES: Final = re.compile(r'(?:"(?P<of>[^"]+)" )?AS "(?P<name>[^"]+)"')


def _check_case(sql: str, names: Names) -> None:
    """Refuse a table or column that is only there in another case."""
    sql = _TEXTS.sub("''", sql)
    # What the query itself names, it may spell as it likes; a column under its own name is not named anew.
    own = {each["name"] for each in _ALIASES.finditer(sql) if each["of"] != each["name"]}
    tables = {name.lower() for name in names.tables}
    columns = {name.lower() for name in names.columns}
    for each in _NAMES.finditer(sql):
        name = each["name"]
        if name in own or name in names.columns or name in names.tables:
            continue
        if name.lower() in (tables if each["before"] in {"FROM ", "JOIN "} else columns):
            raise QueryRejected("SemanticError", f"Failed to resolve table or column expression named '{name}'")


_CALL: Final = re.compile(r"\bcolumn_?ifexists\s*\(\s*([\"'])(?P<name>[^\"']+)\1\s*,", re.IGNORECASE)


def _replace_column_ifexists(query: str, known: frozenset[str]) -> str:
    """`column_ifexists("X", d)` becomes `X` where any table has that column, else `d`."""
    while found := _CALL.search(query):
        end = _closing(query, found.end())
        if end < 0:
            raise QueryRejected("SyntaxError", "Query could not be parsed: column_ifexists( is not closed")
        default = query[found.end() : end].strip()
        chosen = f"['{found['name']}']" if found["name"] in known else f"({default})"
        query = query[: found.start()] + chosen + query[end + 1 :]
    return query


def _closing(text: str, start: int) -> int:
    """Where the parenthesis that is open at `start` closes, quoted text left out of account; -1 where it does not."""
    depth, quote = 1, ""
    for index in range(start, len(text)):
        char = text[index]
        if quote:
            quote = "" if char == quote else quote
        elif char in "\"'":
            quote = char
        elif char in "()":
            depth += 1 if char == "(" else -1
            if not depth:
                return index
    return -1


def _text(value: object) -> Json:
    # Kusto has no null text: what is absent is empty.
    return "" if value is None else str(value)


def _whole(value: object) -> Json:
    return int(value) if isinstance(value, int) else None


def _real(value: object) -> Json:
    if not isinstance(value, int | float | Decimal):
        return None
    number = float(value)
    return number if math.isfinite(number) else {"inf": "Infinity", "-inf": "-Infinity"}.get(str(number), "NaN")


def _flag(value: object) -> Json:
    return value if isinstance(value, bool) else None


def time_text(value: datetime) -> str:
    """A time as Log Analytics writes it: `2026-03-10T05:59:00Z`, fractions only where there are any."""
    value = value if value.tzinfo is None else value.astimezone(UTC).replace(tzinfo=None)
    return value.isoformat() + "Z"


def _time(value: object) -> Json:
    match value:
        case datetime():
            return time_text(value)
        case date():
            return f"{value.isoformat()}T00:00:00Z"
        case _:
            return None


def _span(value: object) -> Json:
    if not isinstance(value, timedelta):
        return None
    sign, value = ("-", -value) if value < timedelta(0) else ("", value)
    hours, rest = divmod(value.seconds, 3600)
    text = f"{hours:02}:{rest // 60:02}:{rest % 60:02}"
    if value.microseconds:
        text += f".{value.microseconds:06}0"
    return sign + (f"{value.days}.{text}" if value.days else text)


def _dynamic_in_place(value: object) -> Json:
    match value:
        case str():
            return _parsed(value)
        case list() | tuple():
            return [_dynamic_in_place(item) for item in value]
        case dict():
            return {str(key): _dynamic_in_place(item) for key, item in value.items()}
        case datetime():
            return time_text(value)
        case None | bool() | int() | float():
            return value
        case _:
            return str(value)


def _parsed(text: str) -> Json:
    try:
        value: Json = json.loads(text)
    except ValueError:
        return text
    return value


def _dynamic(value: object) -> Json:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(_dynamic_in_place(value), separators=(",", ":"))


_WRITERS: Final[dict[str, Callable[[object], Json]]] = {
    "string": _text,
    "guid": _text,
    "int": _whole,
    "long": _whole,
    "real": _real,
    "decimal": lambda value: None if value is None else str(value),
    "bool": _flag,
    "datetime": _time,
    "timespan": _span,
    "dynamic": _dynamic,
}


def quoted(name: str) -> str:
    """A DuckDB identifier."""
    return '"' + name.replace('"', '""') + '"'
