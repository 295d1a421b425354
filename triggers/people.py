"""What only a person may say over HTTP: yes or no to a treatment that waits, stop, and go on."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from itertools import groupby
from typing import TYPE_CHECKING, Final

import azure.functions as func

from triggers.durable import GET, POST, WITH_KEY, Blueprint, Client, new_blueprint
from triggers.problems import EngineFor, Problem, answering, body_of, caller, json_response, only

if TYPE_CHECKING:
    from engine.approvals import Approval
    from engine.engine import Engine
    from engine.pausing import Work
    from model.documents import Document, Json
    from model.states import FailureState

log = logging.getLogger("patchwright")

_LONGEST_REASON: Final = 1000


def blueprint(engine: EngineFor) -> Blueprint:
    functions = new_blueprint()

    @functions.route(route="approvals", methods=GET, auth_level=WITH_KEY)
    @answering
    async def list_approvals(req: func.HttpRequest) -> func.HttpResponse:  # noqa: ARG001 - the trigger hands it in
        """What waits for an answer, oldest first."""
        waiting = await asyncio.to_thread(lambda: engine().waiting())
        return json_response({"approvals": [one.document for one in waiting]})

    @functions.route(route="approvals/{id}", methods=POST, auth_level=WITH_KEY)
    @functions.durable_client_input(client_name="client")
    @answering
    async def answer_approval(req: func.HttpRequest, client: Client) -> func.HttpResponse:
        """Approve or reject a treatment that waits, once."""
        from engine.approvals import Decision, NotAnswerable, UnknownApproval  # noqa: PLC0415 - the start must not pay

        ready = await asyncio.to_thread(engine)
        try:
            approval = await asyncio.to_thread(_answer, ready, req)
        except UnknownApproval as error:
            raise Problem(404, "no treatment waits for this approval", field="id") from error
        except NotAnswerable as error:
            # Whoever was to be woken by the first answer may have missed it.
            await _wake(client, await asyncio.to_thread(ready.approvals.find, req.route_params.get("id", "")))
            raise Problem(409, str(error)) from error
        await _wake(client, approval)
        if approval.answer is not None and approval.answer.decision is Decision.APPROVE:
            return json_response(approval.document, 202, {"Location": f"/api/runs/{approval.run}"})
        return json_response(approval.document)

    @functions.route(route="pause", methods=GET, auth_level=WITH_KEY)
    @answering
    async def get_standing(req: func.HttpRequest) -> func.HttpResponse:  # noqa: ARG001 - the trigger hands it in
        """What is paused, what is in flight, and what waits until a person says that it goes on."""
        return json_response(await asyncio.to_thread(lambda: _standing(engine())))

    @functions.route(route="pause", methods=POST, auth_level=WITH_KEY)
    @answering
    async def pause(req: func.HttpRequest) -> func.HttpResponse:
        """The kill switch: from now on no step starts, in the whole app or for one state."""
        return json_response(await asyncio.to_thread(lambda: _pause(engine(), req)))

    @functions.route(route="resume", methods=POST, auth_level=WITH_KEY)
    @functions.durable_client_input(client_name="client")
    @answering
    async def resume(req: func.HttpRequest, client: Client) -> func.HttpResponse:
        """Lift a pause. What was queued goes on only where the body says so."""
        ready = await asyncio.to_thread(engine)
        wanted = await asyncio.to_thread(_resume, ready, req)
        for document in wanted:
            await _start(client, document)
        started: list[Json] = [{"run": document["run"], "findings": document["findings"]} for document in wanted]
        return json_response({**await asyncio.to_thread(_standing, ready), "started": started})

    return functions


# Approvals


def _answer(engine: Engine, req: func.HttpRequest) -> Approval:
    from engine.approvals import Decision  # noqa: PLC0415 - as above

    body = body_of(req, required=True)
    only(body, {"decision", "reason", "plan"})
    decision, plan = body.get("decision"), body.get("plan")
    if decision not in {"approve", "reject"}:
        raise Problem(400, "must be approve or reject", field="decision")
    if plan is not None and not isinstance(plan, str):
        raise Problem(400, "must be the hash of the plan that is meant", field="plan")
    reason = _reason(body)
    if not reason:
        raise Problem(400, "say why; it is recorded", field="reason")
    return engine.answer(
        req.route_params.get("id", ""), Decision(str(decision)), by=caller(req), reason=reason, plan_hash=plan
    )


async def _wake(client: Client, approval: Approval) -> None:
    """Wake what waits for the answer; where nothing does any more, a process of its own goes on with a yes."""
    from engine.approvals import Decision  # noqa: PLC0415 - as above
    from engine.process import ANSWERED  # noqa: PLC0415 - as above

    answer = approval.answer
    if answer is None or approval.taken:
        return
    try:
        await client.raise_event(approval.run, ANSWERED, {})
    except Exception:  # the client raises nothing narrower
        log.info("nothing waits for the answer", extra={"run": approval.run}, exc_info=True)
        if answer.decision is not Decision.APPROVE or approval.ended:
            return
        document: Document = {
            "run": approval.run,
            "attempt": approval.id,
            "findings": [approval.finding],
            "by": answer.by,
        }
        try:
            await client.start_new("apply", f"{approval.id}-apply", document)
        except Exception as error:  # as above
            log.exception("approved, and not started", extra={"run": approval.run})
            why = "the answer is recorded, but nothing could be started; answer again, or apply the run"
            raise Problem(503, why, retry_after=30) from error


# The kill switch


def _pause(engine: Engine, req: func.HttpRequest) -> Document:
    body = body_of(req)
    only(body, {"state", "reason"})
    engine.switch.pause(_state(body), by=caller(req), reason=_reason(body))
    return _standing(engine)


def _resume(engine: Engine, req: func.HttpRequest) -> list[Document]:
    """Lift the pause; answers the processes to start."""
    body = body_of(req)
    only(body, {"state", "reason", "queued"})
    state, reason, queued = _state(body), _reason(body), body.get("queued", False)
    if not isinstance(queued, bool):
        raise Problem(400, "must be true or false", field="queued")
    if queued and engine.settings.dry_run:
        raise Problem(409, engine.may_write() or "", field="queued")
    engine.switch.resume(state, by=caller(req), reason=reason)
    return _going_on(engine, engine.free_to_go_on(), caller(req)) if queued else []


def _going_on(engine: Engine, works: Iterable[Work], by: str) -> list[Document]:
    from engine.requests import new_run_id  # noqa: PLC0415 - as above

    return [
        {
            "run": run,
            "attempt": new_run_id(engine.clock.now()),
            "findings": [work.finding for work in of_run],
            "by": by,
        }
        for run, of_run in groupby(works, key=lambda work: work.run)
    ]


async def _start(client: Client, document: Document) -> None:
    try:
        await client.start_new("apply", f"{document['attempt']}-apply", document)
    except Exception as error:  # the client raises nothing narrower
        log.exception("not gone on with", extra={"run": document["run"]})
        why = "the pause is lifted, but what was queued could not be started; it is queued still"
        raise Problem(503, why, retry_after=30) from error


def _standing(engine: Engine) -> Document:
    """What is paused, what is in flight all the same, and what waits."""
    return {
        "pauses": [pause.document for pause in engine.switch.pauses()],
        "inFlight": [work.document for work in engine.switch.in_flight()],
        "queued": [work.document for work in engine.switch.queued()],
    }


def _state(body: Document) -> FailureState | None:
    from model.states import FailureState  # noqa: PLC0415 - as above

    state = body.get("state")
    if state is None:
        return None
    if not isinstance(state, str):
        raise Problem(400, "must be text; leave it out for the whole app", field="state")
    if state not in set(FailureState):
        raise Problem(422, f"there is no failure state {state[:60]!r}; GET /api/states lists them", field="state")
    return FailureState(state)


def _reason(body: Document) -> str:
    reason = body.get("reason", "")
    if not isinstance(reason, str):
        raise Problem(400, "must be text", field="reason")
    if len(reason) > _LONGEST_REASON:
        raise Problem(400, f"has {len(reason)} characters, at most {_LONGEST_REASON} are taken", field="reason")
    return reason.strip()
