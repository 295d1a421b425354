"""The HTTP side of the host: the app's routes under `/api`, the Durable client's addresses, an administrator's."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import web

from devhost.durable import Instance, InUse, NoSuchOrchestrator, Status, TaskHub
from devhost.timers import Timers
from devhost.worker import Function, InvocationFailed, Message, Worker, methods_of
from model.documents import Document, text_at
from model.times import format_time

type Handler = Callable[[web.Request], Awaitable[web.Response]]

LARGEST: Final = 100 * 1024 * 1024
"""Bytes of a request that Azure Functions passes on."""
RPC: Final = "/durabletask/"


def application(worker: Worker, hub: TaskHub, timers: Timers) -> web.Application:
    """Everything that is served."""
    app = web.Application(client_max_size=LARGEST)
    for function in worker.functions.values():
        if function.kind == "httptrigger":
            path = _pattern(f"/api/{text_at(function.trigger, 'route') or function.name}")
            for method in methods_of(function):
                app.router.add_route(method, path, _http(worker, function))
    app.router.add_post("/admin/functions/{name}", _administered(worker, timers))
    rpc = _Durable(hub)
    app.router.add_post(RPC + "orchestrators/{name}", rpc.start)
    app.router.add_post(RPC + "orchestrators/{name}/{id}", rpc.start)
    app.router.add_get(RPC + "instances/{id}", rpc.status)
    app.router.add_post(RPC + "instances/{id}/raiseEvent/{event}", rpc.raise_event)
    app.router.add_post(RPC + "instances/{id}/terminate", rpc.terminate)
    return app


def _pattern(route: str) -> str:
    """A route of Functions as the server here takes it: a parameter is any text without a slash, braces as well."""
    return re.sub(r"\{(\w+)\}", r"{\1:[^/]+}", route)


def client_binding(base: str) -> Message:
    """What a function that takes the Durable client is given: where to find the host."""
    binding: Document = {
        "taskHubName": "devhost",
        "creationUrls": {},
        "managementUrls": {"id": "INSTANCEID"},
        "rpcBaseUrl": base + RPC,
    }
    return Message(string=json.dumps(binding))


def _http(worker: Worker, function: Function) -> Handler:
    parameter = text_at(function.trigger, "name")

    async def handle(request: web.Request) -> web.Response:
        body = await request.read()
        http = Message(
            method=request.method,
            url=str(request.url),
            headers={name.lower(): value for name, value in request.headers.items()},
            params=dict(request.match_info),
            query={name: request.query[name] for name in request.query},
            body=Message(bytes=body) if body else Message(),
        )
        inputs = {parameter: Message(http=http)}
        if function.client:
            inputs[function.client] = client_binding(_base(request))
        try:
            answer = await worker.invoke(function.name, inputs)
        except InvocationFailed as error:
            # Azure answers an empty 500; here the developer wants to see why.
            return web.Response(status=500, text=f"{error}\n{error.trace}")
        given = answer.http
        return web.Response(status=int(given.status_code), headers=given.headers, body=given.body.bytes)

    return handle


def _base(request: web.Request) -> str:
    # Always where we listen, never what the caller calls us.
    transport = request.transport
    name = transport.get_extra_info("sockname") if transport else ("127.0.0.1", 0)
    return f"http://127.0.0.1:{name[1]}"


def _administered(worker: Worker, timers: Timers) -> Handler:
    async def handle(request: web.Request) -> web.Response:
        """Runs a timer function now, as the same address does in Azure with the master key."""
        function = worker.functions.get(request.match_info["name"])
        if function is None or function.kind != "timertrigger":
            return web.Response(status=404, text="no such timer function")
        await timers.fire(function)
        return web.Response(status=202)

    return handle


class _Durable:
    """The addresses that the Durable client calls; their paths and answers are the extension's."""

    def __init__(self, hub: TaskHub) -> None:
        self._hub = hub

    async def start(self, request: web.Request) -> web.Response:
        body = await request.json() if request.can_read_body else None
        # The client sends JSON text inside JSON.
        input_ = body if isinstance(body, str) or body is None else json.dumps(body)
        try:
            instance = self._hub.start(request.match_info["name"], request.match_info.get("id"), input_)
        except NoSuchOrchestrator as error:
            return web.json_response({"ExceptionMessage": str(error)}, status=400)
        except InUse as error:
            return web.json_response(str(error), status=409)
        return web.json_response({"id": instance.id}, status=202)

    async def status(self, request: web.Request) -> web.Response:
        if (instance := self._known(request)) is None:
            return web.json_response(None, status=404)
        going = instance.status in {Status.PENDING, Status.RUNNING}
        described: Document = {
            "name": instance.name,
            "instanceId": instance.id,
            "runtimeStatus": instance.status.value,
            "input": instance.input,
            "output": instance.output,
            "customStatus": None,
            "createdTime": format_time(instance.created),
            "lastUpdatedTime": format_time(instance.updated or instance.created),
        }
        if request.query.get("showHistory", "").lower() == "true":
            described["history"] = [*instance.history]
        return web.json_response(described, status=202 if going else 200)

    async def raise_event(self, request: web.Request) -> web.Response:
        if (instance := self._known(request)) is None:
            return web.json_response(None, status=404)
        if instance.status not in {Status.PENDING, Status.RUNNING}:
            return web.json_response(None, status=410)
        data = await request.json() if request.can_read_body else None
        self._hub.raise_event(
            instance, request.match_info["event"], data if isinstance(data, str) else json.dumps(data)
        )
        return web.json_response(None, status=202)

    async def terminate(self, request: web.Request) -> web.Response:
        if (instance := self._known(request)) is None:
            return web.json_response(None, status=404)
        if instance.status not in {Status.PENDING, Status.RUNNING}:
            return web.json_response(None, status=410)
        self._hub.terminate(instance, request.query.get("reason", ""))
        return web.json_response(None, status=202)

    def _known(self, request: web.Request) -> Instance | None:
        return self._hub.instances.get(request.match_info["id"])
