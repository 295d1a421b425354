"""The audit trail over HTTP."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import azure.functions as func

from triggers.durable import GET, WITH_KEY, Blueprint, new_blueprint
from triggers.problems import EngineFor, Problem, answering, json_response

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.engine import Engine
    from model.documents import Json

_PAGE: Final = 200
_LONGEST: Final = 400
"""Characters of what says where a page goes on: a run's id and a number."""


def blueprint(engine: EngineFor) -> Blueprint:
    functions = new_blueprint()

    @functions.route(route="audit", methods=GET, auth_level=WITH_KEY)
    @answering
    async def list_audit(req: func.HttpRequest) -> func.HttpResponse:
        """Every decision with its reason, the newest run first, a page at a time."""
        return json_response(await asyncio.to_thread(lambda: _page(engine(), req)))

    return functions


def _page(engine: Engine, req: func.HttpRequest) -> Mapping[str, Json]:
    from engine.audit import MOST_RECORDS, every_run, page  # noqa: PLC0415 - the app's start must not pay
    from engine.pausing import CONTROL  # noqa: PLC0415 - as above
    from engine.ports import MAX_RUN_ID  # noqa: PLC0415 - as above
    from model.times import parse_time  # noqa: PLC0415 - as above

    asked = req.params.get("limit", str(_PAGE))
    if not (asked.isascii() and asked.isdigit() and 1 <= int(asked[:9]) <= MOST_RECORDS):
        raise Problem(400, f"must be a whole number from 1 to {MOST_RECORDS}", field="limit")
    since = None
    if (text := req.params.get("since")) and (since := parse_time(text)) is None:
        raise Problem(400, "must be a time as RFC 3339 has it", field="since")
    after = req.params.get("after") or None
    if after is not None and (len(after) > _LONGEST or "/" not in after):
        raise Problem(400, "must be the `next` of the page before", field="after")
    run = req.params.get("run")
    if run is None:
        runs = every_run(engine.ledger, control=CONTROL)
    elif run and len(run.encode("utf-8", "surrogatepass")) <= MAX_RUN_ID and engine.journal.header(run) is not None:
        runs = iter((run,))
    else:
        raise Problem(404, "there is no such run", field="run")
    return page(engine.ledger, runs, after=after, limit=int(asked), since=since)
