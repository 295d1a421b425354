"""The query API of Log Analytics, v1: one query, or a batch of them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta

from model.documents import Document, Json, text_at
from model.times import parse_duration, parse_time
from simulator.estate import Estate
from simulator.faults import Kind
from simulator.kql import QueryRejected, Result
from simulator.web import Answer, Call, Refused, Router

_SECONDS = re.compile(r"PT(?P<seconds>\d+(?:\.\d+)?)S", re.ASCII)


class LogQuery:
    def __init__(self, estate: Estate) -> None:
        self.estate = estate

    def routes(self, router: Router) -> None:
        router.add("POST", "/v1/workspaces/{workspace}/query", self.query, needs_version=False)
        router.add("GET", "/v1/workspaces/{workspace}/query", self.query_by_get, needs_version=False)
        router.add("POST", "/v1/$batch", self.batch, needs_version=False)

    def query(self, call: Call, names: Mapping[str, str]) -> Answer:
        if "json" not in call.headers.get("content-type", ""):
            # The service answers so to a body that does not say what it is.
            return Answer(status=200, body="")
        self._catch_up()
        return self._answer(call, names["workspace"], call.json(), call.headers.get("prefer", ""))

    def query_by_get(self, call: Call, names: Mapping[str, str]) -> Answer:
        body: Document = {"query": call.query.get("query", ""), "timespan": call.query.get("timespan")}
        self._catch_up()
        return self._answer(call, names["workspace"], body, call.headers.get("prefer", ""))

    def batch(self, call: Call, _: Mapping[str, str]) -> Answer:
        """Each request is answered on its own; one that fails does not fail the others."""
        requests = call.json().get("requests")
        if not isinstance(requests, list):
            raise _bad_argument("requests must be a list", None)
        self._catch_up()
        responses: list[Json] = []
        for request in requests:
            item = request if isinstance(request, dict) else {}
            body, headers = item.get("body"), item.get("headers")
            prefer = text_at(headers, "prefer") or text_at(headers, "Prefer") if isinstance(headers, dict) else ""
            try:
                answer = self._answer(call, text_at(item, "workspace"), body if isinstance(body, dict) else {}, prefer)
            except Refused as refused:
                answer = refused.answer(flat=False)
            responses.append(
                {
                    "id": text_at(item, "id"),
                    "status": answer.status,
                    "headers": {"Content-Type": "application/json; charset=utf-8"},
                    "body": answer.body if isinstance(answer.body, dict) else {"tables": []},
                }
            )
        return Answer(body={"responses": responses})

    def _catch_up(self) -> None:
        """The agents send what they have sent by now: once for all the queries of a request, which is at one time."""
        self.estate.heartbeats.materialise(self.estate.now)
        self.estate.symptoms.materialise(self.estate.now)

    def _answer(self, call: Call, workspace: str, body: Document, prefer: str) -> Answer:
        if workspace.lower() != self.estate.workspace_guid.lower():
            raise Refused(
                404,
                "PathNotFoundError",
                "The requested path does not exist",
                inner={"code": "WorkspaceNotFoundError", "message": f"The workspace '{workspace}' could not be found"},
            )
        text = text_at(body, "query")
        self._refuse_as_ordered(call, text)
        if not self.estate.logs.schemas:
            return Answer(status=204)
        now = self.estate.now
        since, until = _timespan(body.get("timespan"), now)
        try:
            result = self.estate.logs.query(text, now, since, until)
        except QueryRejected as error:
            raise _bad_argument("The request had some invalid properties", error) from error
        answer: Document = {"tables": [_table(result)]}
        if self.estate.faults.result(Kind.PARTIAL, call.method, call.target, text):
            rows = result.wire_rows()
            answer = {"tables": [{**_table(result), "rows": list(rows[: len(rows) // 2])}], "error": _partial_error()}
        if "include-statistics=true" in prefer:
            answer["statistics"] = {"query": {"executionTime": 0.01, "resourceUsage": {}}}
        if "include-render=true" in prefer:
            answer["render"] = {"visualization": None}
        return Answer(body=answer)

    def _refuse_as_ordered(self, call: Call, text: str) -> None:
        fault = self.estate.faults.result(Kind.QUERY_FAILS, call.method, call.target, text)
        if fault:
            raise Refused(fault.status, fault.code, "The query failed, as ordered.")


def _table(result: Result) -> Document:
    columns: list[Json] = [{"name": column.name, "type": column.type} for column in result.columns]
    return {"name": "PrimaryResult", "columns": columns, "rows": list(result.wire_rows())}


def _timespan(value: Json, now: datetime) -> tuple[datetime | None, datetime | None]:
    """`PT24H`, `<start>/<end>`, `<start>/<duration>` or `<duration>/<end>`: from (included) to (left out)."""
    if value in {None, ""}:
        return None, None
    parts = str(value).split("/")
    times, lengths = [parse_time(part) for part in parts], [_length(part) for part in parts]
    match times, lengths:
        case [None], [timedelta() as length]:
            # What was just written belongs to it: the clock may stand still.
            return now - length, now + timedelta(seconds=1)
        case [datetime() as start, datetime() as end], _:
            return start, end
        case [datetime() as start, None], [_, timedelta() as length]:
            return start, start + length
        case [None, datetime() as end], [timedelta() as length, _]:
            return end - length, end
    raise _bad_argument(f"Invalid timespan: {str(value)[:80]}", None)


def _length(text: str) -> timedelta | None:
    # The SDK writes `PT86400.0S`.
    found = _SECONDS.fullmatch(text)
    return timedelta(seconds=float(found["seconds"])) if found else parse_duration(text)


def _bad_argument(message: str, error: QueryRejected | None) -> Refused:
    inner: Document | None = {"code": error.inner, "message": error.message} if error else None
    return Refused(400, "BadArgumentError", message, inner=inner)


def _partial_error() -> Document:
    return {
        "code": "PartialError",
        "message": "There were some errors when processing your query.",
        "details": [
            {
                "code": "EngineError",
                "message": "Something went wrong processing your query on the server: its results exceed the set limit "
                "of 64000000 bytes.",
            }
        ],
    }
