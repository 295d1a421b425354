"""Requests and answers of the simulated Azure, and how a path finds its handler."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from model.documents import Document, Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request."""

    method: str
    path: str
    """Decoded, without the query string."""
    query: Mapping[str, str]
    """Query parameters by lower-case name (`$filter`, `api-version`)."""
    headers: Mapping[str, str]
    """By lower-case name."""
    body: bytes
    base: str
    """The address that the caller used, for links in answers: `http://127.0.0.1:50123`."""
    target: str
    """Path and query string as they were sent."""

    def json(self) -> Document:
        """The body as a JSON object. Raises `Refused`."""
        try:
            value = json.loads(self.body or b"null")
        except ValueError as error:
            raise Refused(400, "InvalidRequestContent", f"The request content was invalid: {error}") from error
        if not isinstance(value, dict):
            raise Refused(400, "InvalidRequestContent", "The request content must be a JSON object.")
        return value

    def number(self, name: str, default: int) -> int:
        """A whole number among the query parameters. Raises `Refused`."""
        text = self.query.get(name, str(default))
        if not (text.isascii() and text.isdigit()):
            raise Refused(400, "BadRequest", f"The query parameter {name} must be a whole number, is '{text[:40]}'.")
        return int(text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    status: int = 200
    body: Json | str = None
    """None is no body at all; a string is sent as text, anything else as JSON."""
    headers: Mapping[str, str] = field(default_factory=dict)


class Refused(Exception):
    """The service says no. Resource Manager wraps the error, Automation's is flat: `flat` says which."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        inner: Document | None = None,
        details: list[Json] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status, self.code, self.message = status, code, message
        self.inner, self.details = inner, details
        self.headers = dict(headers or {})

    def answer(self, *, flat: bool) -> Answer:
        error: Document = {"code": self.code, "message": self.message}
        if self.inner is not None:
            error["innererror"] = self.inner
        if self.details is not None:
            error["details"] = self.details
        return Answer(status=self.status, body=error if flat else {"error": error}, headers=self.headers)


type Handler = Callable[[Call, Mapping[str, str]], Answer]

_PLACE: Final = re.compile(r"\\\{(\w+)(:path)?\\\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    method: str
    pattern: re.Pattern[str]
    handler: Handler
    needs_version: bool


class Router:
    """Path templates as Microsoft's documents write them; literal parts match whatever the case."""

    def __init__(self) -> None:
        self.routes: list[Route] = []

    def add(self, method: str, template: str, handler: Handler, *, needs_version: bool = True) -> None:
        pattern = _PLACE.sub(
            lambda m: f"(?P<{m[1]}>.+)" if m[2] else f"(?P<{m[1]}>[^/]+)",
            re.escape(template).replace(r"\:path", ":path"),
        )
        self.routes.append(
            Route(
                method=method,
                pattern=re.compile(pattern, re.IGNORECASE),
                handler=handler,
                needs_version=needs_version,
            )
        )

    def handle(self, call: Call) -> Answer:
        """The answer of the first route that fits. Raises `Refused` where none does."""
        path = call.path.rstrip("/") or "/"
        other_method = False
        for route in self.routes:
            found = route.pattern.fullmatch(path)
            if not found:
                continue
            if route.method != call.method:
                other_method = True
                continue
            if route.needs_version and not call.query.get("api-version"):
                raise Refused(
                    400,
                    "MissingApiVersionParameter",
                    "The api-version query parameter (?api-version=) is required for all requests.",
                )
            return route.handler(call, found.groupdict())
        if other_method:
            raise Refused(405, "MethodNotAllowed", f"The simulated Azure has no {call.method} for '{path}'.")
        raise Refused(404, "InvalidResourceType", f"The simulated Azure has nothing at '{path}'.")
