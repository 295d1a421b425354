"""The function app on the development host, spoken to over HTTP; every answer is held against the API's description."""

from __future__ import annotations

import http.client
import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import jsonschema

from devhost.durable import Instance, Status
from devhost.host import HostThread, running
from engine.engine import Engine
from model.documents import Document, Json, list_at, text_at
from model.states import Mode
from simulator.serve import Simulator
from tests.builders import ALL_OPTED_IN, WIDE_LIMITS
from tests.support.modes import few
from triggers.openapi import document as description

JSON: Final = {"Content-Type": "application/json"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def json(self) -> Document:
        parsed: Json = json.loads(self.text)
        assert isinstance(parsed, dict)
        return parsed

    @property
    def id(self) -> str:
        return text_at(self.json, "id")

    @property
    def field(self) -> str:
        """Where a problem is."""
        return text_at(self.json, "field")


@dataclass(frozen=True, slots=True)
class App:
    """A running app."""

    host: HostThread

    def get(self, path: str) -> Answer:
        return self.send("GET", path)

    def post(self, path: str, body: Json = None) -> Answer:
        return self.send("POST", path, None if body is None else json.dumps(body).encode(), JSON)

    def send(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """One request to a path below `/api`. What comes back is what the API's description says, or this fails."""
        connection = http.client.HTTPConnection(urlsplit(self.host.host.url).netloc, timeout=60)
        try:
            connection.request(method, f"/api{path}", body, dict(headers or {}))
            response = connection.getresponse()
            found = {name.lower(): value for name, value in response.getheaders()}
            answer = Answer(status=response.status, headers=found, text=response.read().decode())
        finally:
            connection.close()
        check_against_description(method, path, answer)
        return answer

    def finish(self) -> None:
        """Wait until every process of the app is over; simulated time passes as they need it."""
        self.host.run(self.host.host.hub.idle(), 170)

    def fire(self, timer: str, *, past_due: bool = False) -> None:
        """Call a timer function, as the host does when its time has come."""
        worker, timers = self.host.host.worker, self.host.host.timers
        self.host.run(timers.fire(worker.functions[timer], past_due=past_due))

    @property
    def instances(self) -> list[Instance]:
        """The orchestrations so far, in the order of their start."""
        return list(self.host.host.hub.instances.values())

    def swept(self, **body: Json) -> Document:
        """The run document of a sweep that is over."""
        started = self.post("/sweeps", body)
        assert started.status == 202, started.text
        self.finish()
        return self.run(started.id)

    def run(self, id_: str) -> Document:
        return self.get(f"/runs/{id_}").json


UNLOCKED: Final = {
    "DRY_RUN": "false",
    "PATCHWRIGHT_MODES": few(Mode.ACT),
    "PATCHWRIGHT_OPT_IN": ALL_OPTED_IN,
    **WIDE_LIMITS,
}
STATE: Final = "automation-rp-not-registered"
SUBSCRIPTION: Final = "/subscriptions/6f1a14d8-2aa2-5c27-a1b5-c2e880af718c"
"""One of the sample's that suffers from it."""
ASKING: Final = {**UNLOCKED, "PATCHWRIGHT_MODES": f'{{"*": "off", "{STATE}": "ask"}}'}
ACTING: Final = {**UNLOCKED, "PATCHWRIGHT_MODES": f'{{"*": "off", "{STATE}": "act"}}'}


@contextmanager
def the_app(
    azure: Simulator,
    ledger: Path,
    settings: Mapping[str, str] | None = None,
    *,
    deliveries: int = 1,
    timers: bool = False,
) -> Iterator[App]:
    """The app pointed at a simulated Azure, as it comes (locked, a few states observed) but for `settings`."""
    own = {"PATCHWRIGHT_LEDGER": f"sqlite:{ledger}", "PATCHWRIGHT_MODES": few(Mode.OBSERVE)}
    values = {**azure.settings, **own, **(settings or {})}
    with running(values, deliveries=deliveries, timers=timers) as host:
        yield App(host)


type Activity = Callable[[Document], Document]


def wrap_activity(app: App, name: str, wrap: Callable[[Activity], Activity]) -> None:
    """Put something around an activity of the running app's engine."""
    app.get("/health")
    engine: Engine = sys.modules["function_app"].engine()
    engine.activities = {**engine.activities, name: wrap(engine.activities[name])}


def writes(azure: Simulator) -> list[str]:
    """What the simulated Azure was asked that could change something; queries and looks are POSTs too."""
    reads = re.compile(r"/(query|\$batch|providers/microsoft\.resourcegraph/resources)$", re.IGNORECASE)
    return [
        f"{request['method']} {path}"
        for request in azure.requests()
        if request["method"] not in {"GET", "HEAD"} and not reads.search(path := str(request["path"]).split("?")[0])
    ]


def objects(document: Document, name: str) -> list[Document]:
    return [one for one in list_at(document, name) if isinstance(one, dict)]


def outcomes(run: Document) -> dict[str, str]:
    return {text_at(one, "finding"): text_at(one, "outcome") for one in objects(run, "outcomes")}


def failed(instances: Iterable[Instance]) -> list[Instance]:
    return [instance for instance in instances if instance.status is Status.FAILED]


@cache
def _paths() -> tuple[tuple[re.Pattern[str], Document], ...]:
    paths = description()["paths"]
    assert isinstance(paths, dict)
    return tuple(
        (re.compile(re.sub(r"\{\w+\}", "[^/]+", re.escape(path).replace(r"\{", "{").replace(r"\}", "}"))), methods)
        for path, methods in paths.items()
        if isinstance(methods, dict)
    )


def check_against_description(method: str, path: str, answer: Answer) -> None:
    """The status is one that the API describes for this call, and the body has the shape that it says."""
    bare = path.split("?", maxsplit=1)[0]
    found = [
        methods[method.lower()]
        for pattern, methods in _paths()
        if pattern.fullmatch(bare) and method.lower() in methods
    ]
    if not found:
        return  # the host's own 404 or 405
    operation = found[0]
    assert isinstance(operation, dict)
    responses = operation["responses"]
    assert isinstance(responses, dict)
    assert str(answer.status) in responses, f"{method} {path} answered {answer.status}: {answer.text[:500]}"
    response = _resolved(responses[str(answer.status)])
    content = response.get("content")
    assert isinstance(content, dict)
    ((mimetype, described),) = content.items()
    if mimetype == "text/html":
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        return
    assert answer.headers["content-type"] == mimetype
    assert isinstance(described, dict)
    schema = {"$ref": described["schema"]["$ref"], "components": description()["components"]}  # type: ignore[index, call-overload]
    jsonschema.Draft202012Validator(schema).validate(answer.json)


def _resolved(value: Json) -> Document:
    assert isinstance(value, dict)
    if "$ref" not in value:
        return value
    here: Json = description()
    for part in str(value["$ref"]).removeprefix("#/").split("/"):
        assert isinstance(here, dict)
        here = here[part]
    assert isinstance(here, dict)
    return here
