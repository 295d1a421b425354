"""The simulator's own interface, beside Azure's: what was asked of it, what is true, faults, time."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from model.documents import Document, Json
from model.times import format_time, parse_duration, parse_time
from simulator.estate import Estate
from simulator.faults import BadFault
from simulator.web import Answer, Call, Refused, Router


class Control:
    def __init__(self, estate: Estate, requests: list[Document]) -> None:
        self.estate, self.requests = estate, requests

    def routes(self, router: Router) -> None:
        for method, name, handler in (
            ("GET", "health", self.health),
            ("GET", "requests", self.list_requests),
            ("DELETE", "requests", self.clear_requests),
            ("GET", "truth", self.truth),
            ("GET", "settings", self.settings),
            ("GET", "faults", self.list_faults),
            ("POST", "faults", self.order_faults),
            ("DELETE", "faults", self.clear_faults),
            ("GET", "clock", self.clock),
            ("POST", "clock", self.move_clock),
        ):
            router.add(method, f"/_simulator/{name}", handler, needs_version=False)

    def health(self, _: Call, __: Mapping[str, str]) -> Answer:
        return Answer(body={"status": "ok", "now": format_time(self.estate.now)})

    def list_requests(self, call: Call, _: Mapping[str, str]) -> Answer:
        """Every request, in order; `?since=N` leaves out the first N, `?body=false` the bodies."""
        asked = self.requests[call.number("since", 0) :]
        if call.query.get("body", "").lower() == "false":
            asked = [{key: value for key, value in request.items() if key != "body"} for request in asked]
        return Answer(body=list(asked))

    def clear_requests(self, _: Call, __: Mapping[str, str]) -> Answer:
        self.requests.clear()
        return Answer(status=204)

    def truth(self, _: Call, __: Mapping[str, str]) -> Answer:
        if self.estate.fleet.truth is None:
            raise Refused(404, "NoTruth", "nobody knows what this fleet really suffers from: it was not generated")
        return Answer(body=self.estate.fleet.truth)

    def settings(self, call: Call, _: Mapping[str, str]) -> Answer:
        body: Document = {**self.estate.settings(), "PATCHWRIGHT_CLOUD": call.base, "DRY_RUN": "true"}
        return Answer(body={**body, "workspaceId": self.estate.workspace_guid})

    def list_faults(self, _: Call, __: Mapping[str, str]) -> Answer:
        return Answer(body=list(self.estate.faults.describe()))

    def order_faults(self, call: Call, _: Mapping[str, str]) -> Answer:
        """One fault, `{"faults": [...]}`, or `{"clear": true}`, which may stand beside new ones."""
        body = call.json()
        if body.get("clear") is True:
            self.estate.faults.clear()
        listed: Json = body.get("faults", [] if "clear" in body else [body])
        for given in listed if isinstance(listed, list) else [listed]:
            if not isinstance(given, dict):
                raise Refused(400, "BadFault", "a fault must be a JSON object")
            try:
                self.estate.faults.add(given)
            except BadFault as error:
                raise Refused(400, "BadFault", str(error)) from error
        return Answer(body=list(self.estate.faults.describe()))

    def clear_faults(self, _: Call, __: Mapping[str, str]) -> Answer:
        self.estate.faults.clear()
        return Answer(status=204)

    def clock(self, _: Call, __: Mapping[str, str]) -> Answer:
        return Answer(body={"now": format_time(self.estate.now)})

    def move_clock(self, call: Call, _: Mapping[str, str]) -> Answer:
        """`{"advance": "PT1H"}` or seconds, or `{"to": "2026-03-13T08:30:00Z"}`."""
        body = call.json()
        if len(body) != 1 or not body.keys() <= {"advance", "to"}:
            raise Refused(400, "BadClock", 'give {"advance": duration or seconds} or {"to": time}')
        goal = _goal(body, self.estate.now)
        if goal is None:
            raise Refused(400, "BadClock", f"not a length or time: {next(iter(body.values()))!r:.60}")
        try:
            self.estate.clock.advance_to(goal)
        except ValueError as error:
            raise Refused(400, "BadClock", str(error)) from error
        return Answer(body={"now": format_time(self.estate.now)})


def _goal(body: Document, now: datetime) -> datetime | None:
    if "to" in body:
        return parse_time(body["to"])
    length = body["advance"]
    if isinstance(length, int | float) and not isinstance(length, bool):
        return now + timedelta(seconds=length)
    parsed = parse_duration(length)
    return None if parsed is None else now + parsed
