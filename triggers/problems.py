"""Answers of the HTTP API: JSON, and `application/problem+json` (RFC 9457) for everything that went wrong."""

from __future__ import annotations

import functools
import json
import logging
import os
from collections.abc import Callable, Collection, Coroutine, Mapping
from typing import TYPE_CHECKING, Any, Final, cast

import azure.functions as func

if TYPE_CHECKING:
    from engine.engine import Engine
    from model.documents import Document, Json

log = logging.getLogger("patchwright")

type EngineFor = Callable[[], Engine]
"""Gives the one engine of this process, building it when first asked. Raises `NotReady`."""
_AUTHENTICATION: Final = "WEBSITE_AUTH_ENABLED"
"""App Service's own setting: `True` where its authentication lets through whom it knows, and nobody else."""
LARGEST_BODY: Final = 1024 * 1024
"""Bytes. Azure Monitor's largest alert has 256 KB, a selection of 1,000 machines some 200 KB."""
_TITLES: Final = {
    400: "The request is not valid",
    404: "Not found",
    409: "Not possible in the present state",
    413: "The body is too large",
    415: "The body is not JSON",
    422: "The request names something that is not there",
    429: "Too many at once",
    500: "Something failed that should not",
    503: "Not available",
}


class Problem(Exception):
    """What is wrong, for the caller: the status, one sentence, and the place in the request where there is one."""

    def __init__(self, status: int, detail: str, *, field: str = "", retry_after: int | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.field = field
        self.retry_after = retry_after


class NotReady(Exception):
    """The app cannot work as it is set up; `problems` has a line for each reason and holds no values of settings."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


def answering[F: Callable[..., Coroutine[Any, Any, func.HttpResponse]]](handler: F) -> F:
    """Turns every way in which a handler can fail into a problem; what nobody foresaw goes to the log only."""

    @functools.wraps(handler)
    async def answered(*args: object, **kwargs: object) -> func.HttpResponse:
        try:
            return await handler(*args, **kwargs)
        except Exception as error:  # the boundary: a caller gets a problem, never a trace
            return answer(problem_of(error))

    return cast("F", answered)


def problem_of(error: Exception) -> Problem | NotReady:
    """The problem that an exception means to a caller."""
    from engine.ports import AzureUnavailable, LedgerUnreadable  # noqa: PLC0415 - the app's start must not pay
    from engine.requests import InvalidRequest  # noqa: PLC0415 - as above
    from engine.wire import UnreadableRecord  # noqa: PLC0415 - as above

    match error:
        case Problem() | NotReady():
            return error
        case InvalidRequest():
            return Problem(400, error.problem, field=error.field)
        case AzureUnavailable():
            wait = int(error.retry_after.total_seconds()) + 1 if error.retry_after else 30
            log.warning("azure unavailable", exc_info=error)
            return Problem(503, "Azure does not answer; the log says more", retry_after=wait)
        case LedgerUnreadable():
            log.error("ledger unreadable", exc_info=error)
            return Problem(503, "the ledger cannot be used; the log says why", retry_after=30)
        case UnreadableRecord():
            log.error("record unreadable", exc_info=error)
            return Problem(500, "the record of this run is damaged or of another version; the log says where")
        case _:
            log.error("request failed", exc_info=error)
            return Problem(500, "the request failed in a way nobody foresaw; the log says how")


def answer(problem: Problem | NotReady) -> func.HttpResponse:
    """A problem as a response."""
    if isinstance(problem, NotReady):
        document: Document = {"detail": "the app is not set up", "problems": list(problem.problems)}
        return _response(503, _described(503, document), "application/problem+json", {})
    headers = {} if problem.retry_after is None else {"Retry-After": str(problem.retry_after)}
    document = {"detail": problem.detail}
    if problem.field:
        document["field"] = problem.field
    return _response(problem.status, _described(problem.status, document), "application/problem+json", headers)


def json_response(
    body: Mapping[str, Json], status: int = 200, headers: Mapping[str, str] | None = None
) -> func.HttpResponse:
    return _response(status, body, "application/json", headers or {})


def _described(status: int, rest: Document) -> Document:
    return {"type": "about:blank", "title": _TITLES[status], "status": status, **rest}


def _response(status: int, body: Mapping[str, Json], mimetype: str, headers: Mapping[str, str]) -> func.HttpResponse:
    # ASCII, so that half of a surrogate pair that came in does not break the answer.
    text = json.dumps(body, separators=(",", ":"))
    # What a browser is told never to guess cannot become a page.
    safe = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}
    return func.HttpResponse(text, status_code=status, headers={**safe, **headers}, mimetype=mimetype)


def body_of(req: func.HttpRequest, *, required: bool = False) -> Document:
    """The body as a JSON object; an empty body is an empty object unless one is `required`. Raises `Problem`."""
    declared = req.headers.get("content-length", "")
    body = req.get_body()
    if len(body) > LARGEST_BODY or (declared.isascii() and declared.isdigit() and int(declared[:20]) > LARGEST_BODY):
        raise Problem(413, f"at most {LARGEST_BODY} bytes are taken")
    if not body.strip():
        if required:
            raise Problem(400, "a body is needed", field="body")
        return {}
    kind = req.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind != "application/json" and not (kind.startswith("application/") and kind.endswith("+json")):
        raise Problem(415, "the content type must be application/json", field="Content-Type")
    try:
        parsed: Json = json.loads(body.decode("utf-8-sig"), parse_constant=_no_constant, object_pairs_hook=_unique)
    except RecursionError as error:
        raise Problem(400, "is nested too deeply", field="body") from error
    except UnicodeDecodeError as error:
        raise Problem(400, f"is not UTF-8: byte {error.start}", field="body") from error
    except json.JSONDecodeError as error:
        raise Problem(
            400, f"is not JSON: {error.msg} at line {error.lineno}, column {error.colno}", field="body"
        ) from error
    except ValueError as error:
        raise Problem(400, f"is not JSON that can be taken: {error!s:.100}", field="body") from error
    if not isinstance(parsed, dict):
        raise Problem(400, "must be a JSON object", field="body")
    return parsed


def caller(req: func.HttpRequest) -> str:
    """Who asked, as App Service's authentication says; empty where it does not stand before the app.

    It replaces the header that a caller may have sent. Without it the header is anybody's word: no name for a record.
    """
    if os.environ.get(_AUTHENTICATION, "").lower() != "true":
        return ""
    name = str(req.headers.get("x-ms-client-principal-name", ""))
    # It goes into records and logs: one line, whatever somebody called himself.
    return "".join(character for character in name if character.isprintable()).strip()[:200]


def only(body: Document, allowed: Collection[str]) -> None:
    """Raises `Problem` for a field that is none of `allowed`: a misspelt one must not be taken for left out."""
    for name in body:
        if name not in allowed:
            raise Problem(400, f"there is no such field; known are {', '.join(sorted(allowed))}", field=name[:100])


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


def _unique(pairs: list[tuple[str, Json]]) -> Document:
    """An object; of two fields of one name no reader can know which was meant."""
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        twice = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise ValueError(f"{twice[:60]!r} is there twice")
    return found
