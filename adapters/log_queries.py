"""Log Analytics: many queries in one request; a result that is not whole is no result."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Final

from adapters.arm import Answer, answered, usable
from adapters.clients import Clients
from adapters.sdk import Hook, Right, Sdk, answer_to
from engine.ports import AzureUnavailable, NotFound, PermissionMissing
from model.documents import Document, Json, at, list_at, text_at
from model.facts import Row, Unreadable
from model.secrets import without_secrets
from model.times import format_time, parse_time

type Result = tuple[Row, ...] | Unreadable

QUERIES_A_BATCH: Final = 10
MOST_ROWS: Final = 500_000
"""Azure cuts a result here, or at 64 MB compressed, and says so in `error`."""
NO_TABLE: Final = "does not exist"
"""Part of the reason, where a query asks for a table that the workspace does not have."""
SERVER_SECONDS: Final = 180
"""How long Log Analytics may work on one query; its own maximum is 600."""

_TABLE: Final = re.compile(
    r"Failed to resolve table or (?:column|scalar) expression named '([^']{1,80})'|"
    r"Failed to resolve table[^']*'([^']{1,80})'",
    re.IGNORECASE,
)


def answer_queries(clients: Clients, workspace_guid: str, queries: Mapping[str, str]) -> dict[str, Result]:
    """The rows of each query by its name, or why there are none. Never an exception for what Azure answers.

    Times come as RFC 3339 text in UTC, dynamic values as JSON.
    """
    names = list(queries)
    answers: dict[str, Result] = {}
    for start in range(0, len(names), QUERIES_A_BATCH):
        some = names[start : start + QUERIES_A_BATCH]
        answers |= _batch(clients, workspace_guid, {name: queries[name] for name in some})
    return answers


def answer_query(sdk: Sdk, workspace_guid: str, name: str, query: str) -> Result:
    """The rows of one query, or why there are none, as `answer_queries` has them. The name is for reasons."""
    right = Right(action="Microsoft.OperationalInsights/workspaces/query/read", scope=f"workspace {workspace_guid}")

    def ask(seen: Hook) -> object:
        # The query says itself which time it is about.
        return sdk.logs.query_workspace(
            workspace_guid,
            query,
            timespan=None,
            server_timeout=SERVER_SECONDS,
            read_timeout=SERVER_SECONDS + 30,
            raw_response_hook=seen,
        )

    try:
        answer = answer_to(right, ask)
    except (AzureUnavailable, PermissionMissing) as error:
        return Unreadable(what=str(error))
    return _one(name, [{"status": answer.status, "body": answer.body}])


def _batch(clients: Clients, workspace_guid: str, queries: Mapping[str, str]) -> dict[str, Result]:
    from azure.core.rest import HttpRequest  # noqa: PLC0415 - heavy; the function app's start must not pay

    ids = {str(number): name for number, name in enumerate(queries, start=1)}
    requests: list[Json] = [
        {
            "id": id_,
            "method": "POST",
            "path": "/query",
            "workspace": workspace_guid,
            "headers": {"Content-Type": "application/json", "Prefer": f"wait={SERVER_SECONDS}"},
            "body": {"query": queries[name]},
        }
        for id_, name in ids.items()
    ]
    request = HttpRequest("POST", "/$batch", json={"requests": requests}, headers={"Accept": "application/json"})
    try:
        answer = answered(request, lambda: clients.send_query(request, read_seconds=SERVER_SECONDS + 30))
        if answer.status == 204 or (answer.status == 200 and answer.body is None):
            return dict.fromkeys(queries, _EMPTY)
        body = usable("Log Analytics, POST /$batch", answer)
    except (AzureUnavailable, PermissionMissing, NotFound) as error:
        return dict.fromkeys(queries, Unreadable(what=str(error)))
    said: dict[str, list[Document]] = {}
    for item in list_at(body, "responses"):
        if isinstance(item, dict):
            said.setdefault(str(item.get("id")), []).append(item)
    return {name: _one(name, said.get(id_, [])) for id_, name in ids.items()}


_EMPTY: Final = Unreadable(what="the workspace is empty: nothing has ever been written to it")


class _Unusable(Exception):
    """A query's answer is not a whole result; the message says why."""


def _one(name: str, items: list[Document]) -> Result:
    """One query's part of a batch's answer."""
    try:
        return _whole(name, items)
    except _Unusable as error:
        return Unreadable(what=str(error))


def _whole(name: str, items: list[Document]) -> Result:
    if len(items) != 1:
        raise _Unusable(f"Log Analytics answered the query {name} {len(items)} times")
    status, body = items[0].get("status"), _body(name, items[0].get("body"))
    if status == 204 or (status == 200 and not body):
        return _EMPTY
    if body.get("error") or status != 200:
        raise _Unusable(_what_is_wrong(name, status, body))
    return _rows(name, body)


def _body(name: str, body: Json) -> Document:
    """The body as an object; empty where there is none. Raises `_Unusable` where it is something else."""
    if isinstance(body, str) and body.strip():
        # Seen from the service now and then: the body as text within the JSON.
        try:
            body = json.loads(body)
        except (ValueError, RecursionError) as error:
            raise _Unusable(f"query {name}: the body is not JSON") from error
    if not body:
        return {}
    if not isinstance(body, dict):
        raise _Unusable(f"query {name}: the body is not an object")
    return body


def _what_is_wrong(name: str, status: Json, body: Document) -> str:
    """In words that a person can act on."""
    answer = Answer(status=0, body=body, request_id="", retry_after=None)
    inner, messages = at(body, "error"), list[str]()
    # Kusto nests its reasons: the innermost one names the table.
    for _ in range(8):
        if not isinstance(inner, dict):
            break
        messages.append(without_secrets(text_at(inner, "message")))
        inner = inner.get("innererror")
    if missing := next((found for text in messages if (found := _TABLE.search(text))), None):
        table = missing[1] or missing[2]
        return f"query {name}: table {table} {NO_TABLE}: the solution was never installed"
    if text_at(body, "error.code") == "PartialError":
        return f"query {name}: only a part of the result came: {messages[-1][:300]}"
    detail = f" ({messages[-1][:300]})" if len(messages) > 1 and messages[-1] != messages[0] else ""
    return f"query {name}: {status!r:.20} {answer.error}{detail}"


def _rows(name: str, body: Document) -> tuple[Row, ...]:
    """The primary table's rows. Raises `_Unusable` where it is not a whole table."""
    tables = [table for table in list_at(body, "tables") if isinstance(table, dict)]
    table = next((table for table in tables if table.get("name") == "PrimaryResult"), tables[0] if tables else None)
    if table is None:
        raise _Unusable(f"query {name}: an answer without a table")
    columns = [
        (text_at(c, "name"), text_at(c, "type").lower()) for c in list_at(table, "columns") if isinstance(c, dict)
    ]
    rows = table.get("rows")
    if not columns or not isinstance(rows, list):
        raise _Unusable(f"query {name}: a table without columns or rows")
    if len(rows) >= MOST_ROWS:
        raise _Unusable(f"query {name}: {len(rows)} rows, at which Log Analytics cuts a result off")
    found: list[Row] = []
    for row in rows:
        if not isinstance(row, list) or len(row) != len(columns):
            raise _Unusable(f"query {name}: a row that does not fit its columns")
        found.append({column: _cell(kind, value) for (column, kind), value in zip(columns, row, strict=True)})
    return tuple(found)


def _cell(kind: str, value: Json) -> Json:
    if kind == "datetime":
        moment = parse_time(value)
        return format_time(moment) if moment else value
    if kind == "dynamic" and isinstance(value, str):
        try:
            parsed: Json = json.loads(value)
        except (ValueError, RecursionError):
            return value
        return parsed
    if kind == "bool" and isinstance(value, int):
        return bool(value)
    return value
