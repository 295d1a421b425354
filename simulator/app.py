"""The HTTP application: one place that takes every request, logs it, lets faults befall it, and answers."""

from __future__ import annotations

import asyncio
import json
import logging
import uuid
from collections.abc import Callable
from typing import Final
from urllib.parse import unquote

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from model.documents import Document
from model.times import format_time
from simulator.arm_automation import Automation
from simulator.arm_compute import Compute
from simulator.arm_resources import Resources
from simulator.arm_workspace import Workspaces
from simulator.control import Control
from simulator.estate import Estate
from simulator.faults import Fault, Kind
from simulator.log_query import LogQuery
from simulator.permissions import Permissions
from simulator.web import Answer, Call, Refused, Router

log = logging.getLogger(__name__)

_CONTROL: Final = "/_simulator/"
_FLAT: Final = "/providers/microsoft.automation/"


class SimulatedAzure:
    """An ASGI application over one estate. Requests are handled one after another, so that a run can be repeated."""

    def __init__(self, estate: Estate, cut: Callable[[Scope], None]) -> None:
        self.estate = estate
        self.requests: list[Document] = []
        self._cut = cut
        """Cuts the connection that a request came on, as a broken network would."""
        self.router = Router()
        Control(estate, self.requests).routes(self.router)
        resources = Resources(estate)
        others = (Automation(estate), Compute(estate), Workspaces(estate), LogQuery(estate), Permissions(estate))
        for service in (*others, resources):
            service.routes(self.router)
        resources.fallback_routes(self.router)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        body = await request.body()
        call = _call(request, body)
        if call.path.startswith(_CONTROL):
            await _response(self._handled(call)).__call__(scope, receive, send)
            return
        self.estate.clock.flow()
        entry = self._logged(call)
        fault = self.estate.faults.transport(call.method, call.target)
        answer = None if fault and not fault.after else self._handled(call)
        if fault:
            entry["fault"] = fault.kind.value
            if answer is not None:
                # Carried out, whatever the caller is told.
                entry["answered"] = answer.status
            answer = await self._befallen(fault, scope)
        if answer is None:
            entry["status"] = 0
            return
        entry["status"] = answer.status
        # Azure calls every request something, also one that it refuses.
        response = _response(answer)
        response.headers["x-ms-request-id"] = entry["requestId"] = str(uuid.uuid4())
        await response.__call__(scope, receive, send)

    def _handled(self, call: Call) -> Answer:
        try:
            return self.router.handle(call)
        except Refused as refused:
            return refused.answer(flat=_FLAT in call.path.lower() and refused.code != "MissingApiVersionParameter")
        except Exception:
            # A mistake of the simulator must not look like a fault of Azure that was ordered.
            log.exception("the simulated Azure failed", extra={"method": call.method, "path": call.path})
            return Answer(status=500, body={"error": {"code": "SimulatorBroken", "message": "see the simulator's log"}})

    def _logged(self, call: Call) -> Document:
        text = call.body.decode("utf-8", "replace") if self.estate.options.keep_bodies else ""
        entry: Document = {
            "method": call.method,
            "path": call.path,
            "query": dict(call.query),
            "status": 0,
            "at": format_time(self.estate.now),
            "body": text or None,
        }
        self.requests.append(entry)
        return entry

    async def _befallen(self, fault: Fault, scope: Scope) -> Answer | None:
        """What the caller gets instead of an answer; None where the connection was cut."""
        match fault.kind:
            case Kind.THROTTLED:
                refused = Refused(
                    429,
                    "TooManyRequests",
                    "The request is being throttled, as ordered.",
                    headers={"Retry-After": f"{fault.retry_after:g}"},
                )
                return refused.answer(flat=False)
            case Kind.TIMEOUT:
                await asyncio.sleep(fault.seconds)
                return Refused(504, "GatewayTimeout", "The gateway did not answer in time, as ordered.").answer(
                    flat=False
                )
            case Kind.HANG:
                await asyncio.sleep(fault.seconds)
            case Kind.RESET:
                pass
            case _:
                return Refused(fault.status, fault.code, "The request failed, as ordered.").answer(flat=False)
        self._cut(scope)
        return None


def _call(request: Request, body: bytes) -> Call:
    raw: bytes = request.scope.get("raw_path") or request.url.path.encode()
    query = request.scope.get("query_string", b"").decode("latin-1")
    path = raw.decode("latin-1")
    return Call(
        method=request.method,
        path=unquote(path),
        query={name.lower(): value for name, value in request.query_params.items()},
        headers={name.lower(): value for name, value in request.headers.items()},
        body=body,
        base=f"http://{request.headers.get('host', '127.0.0.1')}",
        target=unquote(f"{path}?{query}" if query else path),
    )


def _response(answer: Answer) -> Response:
    headers = dict(answer.headers)
    if answer.body is None:
        return Response(status_code=answer.status, headers=headers)
    if isinstance(answer.body, str):
        return Response(answer.body, status_code=answer.status, headers=headers, media_type="text/plain")
    content = json.dumps(answer.body, separators=(",", ":"))
    return Response(content, status_code=answer.status, headers=headers, media_type="application/json")
