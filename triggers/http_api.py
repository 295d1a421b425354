"""The HTTP API beside the alerts: sweeps, runs and their plans, the catalogue, and whether the app is ready."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import azure.functions as func

from model.documents import list_at, text_at
from triggers.durable import GET, OPEN, POST, WITH_KEY, Blueprint, Client, new_blueprint
from triggers.problems import EngineFor, NotReady, Problem, answering, body_of, caller, json_response, only, problem_of
from triggers.starting import begin

if TYPE_CHECKING:
    from engine.engine import Engine
    from engine.requests import SweepRequest
    from engine.undoing import UndoRequest
    from model.documents import Document, Json
    from model.states import FailureState

log = logging.getLogger("patchwright")

_PAGE: Final = 20
_LARGEST_PAGE: Final = 100
_AT_ONCE: Final = 10
"""Sweeps that may read at the same time: they share what Azure lets one identity ask."""
_LONGEST_READING: Final = timedelta(hours=1)
_APPLYING: Final = timedelta(minutes=2)
"""How long the right to start an apply is held: longer than it takes to write down that it was started."""


def blueprint(engine: EngineFor) -> Blueprint:
    functions = new_blueprint()

    @functions.route(route="sweeps", methods=POST, auth_level=WITH_KEY)
    @functions.durable_client_input(client_name="client")
    @answering
    async def start_sweep(req: func.HttpRequest, client: Client) -> func.HttpResponse:
        """Start a sweep; a dry run unless the body says otherwise and the app is not locked."""
        ready = await asyncio.to_thread(engine)
        request = await asyncio.to_thread(_sweep_request, ready, req)
        await begin(ready, client, request)
        return _accepted(request.run)

    @functions.route(route="runs", methods=GET, auth_level=WITH_KEY)
    @answering
    async def list_runs(req: func.HttpRequest) -> func.HttpResponse:
        """The ledger, newest first, a page at a time."""
        return json_response(await asyncio.to_thread(lambda: _page(engine(), req)))

    @functions.route(route="runs/{id}", methods=GET, auth_level=WITH_KEY)
    @answering
    async def get_run(req: func.HttpRequest) -> func.HttpResponse:
        """One run, as the command line shows it with `--json`."""
        return json_response(await asyncio.to_thread(lambda: _document(engine(), req)))

    @functions.route(route="runs/{id}/apply", methods=POST, auth_level=WITH_KEY)
    @functions.durable_client_input(client_name="client")
    @answering
    async def apply_run(req: func.HttpRequest, client: Client) -> func.HttpResponse:
        """Apply the saved plan of a run, or of some of its findings."""
        ready = await asyncio.to_thread(engine)
        wanted = await asyncio.to_thread(_apply_request, ready, req)
        try:
            await client.start_new("apply", f"{wanted.attempt}-apply", wanted.document)
        except Exception as error:  # the client raises nothing narrower
            log.exception("apply not started", extra={"run": wanted.run})
            await asyncio.to_thread(ready.fail, wanted.run, "the apply could not be started")
            raise Problem(503, "the apply could not be started; the log says why", retry_after=30) from error
        return _accepted(wanted.run)

    @functions.route(route="runs/{id}/undo", methods=POST, auth_level=WITH_KEY)
    @functions.durable_client_input(client_name="client")
    @answering
    async def undo_run(req: func.HttpRequest, client: Client) -> func.HttpResponse:
        """Put back what a run changed, or some of it; a run of its own, which the answer names."""
        ready = await asyncio.to_thread(engine)
        request, run = await asyncio.to_thread(_undo_request, ready, req)
        if run != request.run:
            # Undone already: the same answer as the first time.
            return _accepted(run)
        try:
            await client.start_new("undo", run, request.document)
        except Exception as error:  # the client raises nothing narrower
            log.exception("undo not started", extra={"run": run})
            await asyncio.to_thread(ready.fail, run, "the undo could not be started")
            raise Problem(503, "the undo could not be started; the log says why", retry_after=30) from error
        return _accepted(run)

    @functions.route(route="states", methods=GET, auth_level=WITH_KEY)
    @answering
    async def list_states(req: func.HttpRequest) -> func.HttpResponse:  # noqa: ARG001 - the trigger hands it in
        """The catalogue of failure states."""
        return json_response(await asyncio.to_thread(lambda: {"states": [*engine().states()]}))

    # Open to everyone, like a probe has to be: it says which settings are wrong, never what is in them.
    @functions.route(route="health", methods=GET, auth_level=OPEN)
    async def get_health(req: func.HttpRequest) -> func.HttpResponse:  # noqa: ARG001 - as above
        """Ready or not, and why."""
        return await asyncio.to_thread(_health, engine)

    @functions.route(route="openapi.json", methods=GET, auth_level=WITH_KEY)
    @answering
    async def get_openapi(req: func.HttpRequest) -> func.HttpResponse:  # noqa: ARG001 - as above
        """This API, described as OpenAPI 3.1."""
        from triggers.openapi import document  # noqa: PLC0415 - the app's start must not pay

        return json_response(document())

    return functions


def _accepted(run: str) -> func.HttpResponse:
    return json_response({"id": run}, 202, {"Location": f"/api/runs/{run}"})


def _sweep_request(engine: Engine, req: func.HttpRequest) -> SweepRequest:
    from engine.requests import SweepRequest, machines_in, new_run_id, states_in  # noqa: PLC0415 - as above

    body = body_of(req)
    only(body, {"states", "machines", "dry_run"})
    dry_run = body.get("dry_run", True)
    if not isinstance(dry_run, bool):
        raise Problem(400, "must be true or false", field="dry_run")
    states = states_in(body["states"], "states") if "states" in body else None
    machines = body.get("machines")
    if "states" in body and states is None:
        raise Problem(400, "must be a list; leave it out for all states", field="states")
    if "machines" in body and machines is None:
        raise Problem(400, "must be a list; leave it out for all machines", field="machines")
    selected = None if machines is None else machines_in(machines, "machines")
    if not dry_run and (locked := engine.may_apply(states or ())):
        raise Problem(409, locked, field="dry_run")
    _refuse_a_crowd(engine)
    return SweepRequest(
        run=new_run_id(engine.clock.now()),
        trigger="http",
        dry_run=dry_run,
        states=states,
        machines=selected,
        by=caller(req),
    )


def _refuse_a_crowd(engine: Engine) -> None:
    """Alerts and the timer come one at a time; whoever calls this can be wrong in a loop."""
    now, reading = engine.clock.now(), 0
    for run in engine.ledger.runs(2 * _AT_ONCE):
        entries = engine.ledger.entries(run, kinds=frozenset({"run", "status", "surveyed"}))
        # A sweep that died with its host is not counted for ever.
        began = next((entry.at for entry in entries if entry.kind == "run"), now)
        going = entries[-1].kind == "status" and entries[-1].body.get("status") == "running" if entries else False
        reading += going and now - began < _LONGEST_READING
    if reading >= _AT_ONCE:
        raise Problem(429, f"{reading} sweeps are reading the estate already", retry_after=60)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Apply:
    """A saved plan that is to be applied; its ledger knows already."""

    run: str
    attempt: str
    document: Document


def _apply_request(engine: Engine, req: func.HttpRequest) -> _Apply:
    """Check and write down; from here on nobody else can start an apply of this run until this one is over."""
    from engine.requests import new_run_id  # noqa: PLC0415 - as above

    body = body_of(req)
    only(body, {"findings"})
    wanted = _findings(body)
    saved = _document(engine, req)
    if locked := engine.may_apply(_states(saved, wanted)):
        raise Problem(409, locked)
    run, now = str(saved["id"]), engine.clock.now()
    attempt = new_run_id(now)
    if engine.ledger.claim(f"apply:{run}", attempt, now, now + _APPLYING) != attempt:
        raise Problem(409, "this run is being applied already")
    try:
        # Again, now that nobody else can change it.
        _check_applicable(_document(engine, req), wanted)
        by = caller(req)
        engine.accept_apply(run, attempt, wanted, by)
    except BaseException:
        engine.ledger.release(f"apply:{run}", attempt)
        raise
    listed: Json = None if wanted is None else [*wanted]
    return _Apply(run=run, attempt=attempt, document={"run": run, "attempt": attempt, "findings": listed, "by": by})


def _undo_request(engine: Engine, req: func.HttpRequest) -> tuple[UndoRequest, str]:
    """Check and write down; answers the run that undoes, too, which may be an earlier one that did so already."""
    from engine.requests import InvalidRequest, new_run_id  # noqa: PLC0415 - as above
    from engine.undoing import CannotUndo, NoSuchRun, UndoRequest  # noqa: PLC0415 - as above

    body = body_of(req)
    only(body, {"findings", "dry_run"})
    dry_run = body.get("dry_run", False)
    if not isinstance(dry_run, bool):
        raise Problem(400, "must be true or false", field="dry_run")
    wanted = _findings(body)
    saved = _document(engine, req)
    undoes = str(saved["id"])
    if not dry_run and (locked := engine.may_apply(_states(saved, wanted))):
        raise Problem(409, locked)
    request = UndoRequest(
        run=new_run_id(engine.clock.now()),
        undoes=undoes,
        trigger="http",
        dry_run=dry_run,
        findings=None if wanted is None else tuple(wanted),
        by=caller(req),
    )
    try:
        return request, engine.undoing.accept(request)
    except InvalidRequest as error:
        raise Problem(422, error.problem, field=error.field) from error
    except NoSuchRun as error:
        raise Problem(404, str(error), field="id") from error
    except CannotUndo as error:
        raise Problem(409, str(error)) from error


def _states(saved: Document, wanted: list[str] | None) -> list[FailureState]:
    """The states whose plans are to be applied."""
    from model.states import FailureState  # noqa: PLC0415 - as above

    keys = (
        wanted
        if wanted is not None
        else [text_at(p, "finding") for p in list_at(saved, "plans") if isinstance(p, dict)]
    )
    named = {key.partition(":")[0] for key in keys}
    return [state for state in FailureState if state.value in named]


def _check_applicable(saved: Document, wanted: list[str] | None) -> None:
    # What was queued waits for exactly this.
    if saved["status"] in {"running", "waiting"} and saved.get("waitingFor") != "resume":
        raise Problem(409, f"the run is still {saved['status']}; apply its plan when it is over")
    known = {text_at(plan, "finding") for plan in list_at(saved, "plans") if isinstance(plan, dict)}
    for place, key in enumerate(wanted or []):
        if key not in known:
            raise Problem(422, "this run has no plan for such a finding", field=f"findings[{place}]")


def _findings(body: Document) -> list[str] | None:
    from engine.requests import MOST_NAMED  # noqa: PLC0415 - as above

    if "findings" not in body:
        return None
    listed = body["findings"]
    if not isinstance(listed, list):
        raise Problem(400, "must be a list; leave it out for all findings", field="findings")
    if len(listed) > MOST_NAMED:
        raise Problem(400, f"has {len(listed)} entries, at most {MOST_NAMED} are taken", field="findings")
    for place, key in enumerate(listed):
        if not isinstance(key, str):
            raise Problem(400, "must be text", field=f"findings[{place}]")
    return [key for key in listed if isinstance(key, str)]


def _page(engine: Engine, req: func.HttpRequest) -> Document:
    asked = req.params.get("limit", str(_PAGE))
    if not (asked.isascii() and asked.isdigit() and 1 <= int(asked[:9]) <= _LARGEST_PAGE):
        raise Problem(400, f"must be a whole number from 1 to {_LARGEST_PAGE}", field="limit")
    limit, before = int(asked), req.params.get("before") or None
    # One more than asked for tells whether there is a next page.
    ids = engine.ledger.runs(limit + 1, before)
    # A crash in the first moment of a run leaves its id without a word of what it was to be: that is no run.
    runs: list[Json] = [summary for id_ in ids[:limit] if (summary := _summary(engine, id_))]
    return {"runs": runs, "next": ids[limit - 1] if len(ids) > limit else None}


def _summary(engine: Engine, run: str) -> Document | None:
    from engine.wire import UnreadableRecord  # noqa: PLC0415 - as above

    try:
        if (document := engine.document(run)) is None:
            return None
    except UnreadableRecord:
        log.exception("record unreadable", extra={"run": run})
        return {"id": run, "status": "unreadable"}
    kept = ("id", "trigger", "mode", "by", "undoes", "status", "error", "started", "finished")
    counted = ("findings", "unknown", "plans", "outcomes")
    counts: Document = {name: len(listed) for name in counted if isinstance(listed := document.get(name), list)}
    head: Document = {name: document.get(name) for name in kept}
    return {**head, "counts": counts}


def _document(engine: Engine, req: func.HttpRequest) -> Document:
    from engine.ports import MAX_RUN_ID  # noqa: PLC0415 - as above
    from engine.wire import PlanChanged  # noqa: PLC0415 - as above

    run = req.route_params.get("id", "")
    known = 0 < len(run.encode("utf-8", "surrogatepass")) <= MAX_RUN_ID
    try:
        document = engine.document(run) if known else None
    except PlanChanged as error:
        log.exception("plan changed", extra={"run": run})
        raise Problem(409, f"{error}; nothing of this run is shown or applied; a new sweep makes a new plan") from error
    if document is None:
        raise Problem(404, "there is no such run", field="id")
    return document


def _health(engine: EngineFor) -> func.HttpResponse:
    try:
        ready = engine()
        ready.ledger.runs(1)
        unreachable: list[Json] = [*ready.access.problems()] if ready.access else []
        pauses: list[Json] = [_without_people(pause.document) for pause in ready.switch.pauses()]
    except Exception as error:  # whatever it is, it is why the app is not ready
        match problem_of(error):
            case NotReady(problems=problems):
                said: list[Json] = [*problems]
            case Problem(detail=detail):
                said = [detail]
        return json_response({"status": "not ready", "problems": said}, 503)
    if unreachable:
        return json_response({"status": "not ready", "problems": unreachable}, 503)
    paused: Document = {"pauses": pauses} if pauses else {}
    return json_response({"status": "ready", "dryRun": ready.settings.dry_run, **paused})


def _without_people(pause: Document) -> Document:
    """Everyone may ask for the app's health, and no name or reason is everyone's business."""
    return {"state": pause["state"], "since": pause["since"]}
