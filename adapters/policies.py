"""What every request passes through on its way out, whichever identity sends it."""

from __future__ import annotations

import json
import re
import threading
from typing import Any, Final
from urllib.parse import urlsplit

from azure.core.pipeline import PipelineRequest, PipelineResponse
from azure.core.pipeline.policies import HTTPPolicy, RetryPolicy
from azure.core.rest import HttpRequest, HttpResponse

from adapters.clients import origin
from engine.correlation import present
from engine.ports import AzureUnavailable, RequestCount, WriteForbidden
from model.documents import Document, Json

_READ_POSTS: Final = re.compile(
    r"(?:/v1)?/(?:\$batch|workspaces/[^/]+/query)|/providers/Microsoft\.ResourceGraph/resources", re.IGNORECASE
)
"""Paths of requests that are a POST only because a query does not fit into a URL; matched as a whole."""

_PROBES: Final = re.compile(
    r"/subscriptions/[^/]+/resourceGroups/[^/]+/providers/(?:Microsoft\.Compute/virtualMachines"
    r"|Microsoft\.HybridCompute/machines)/[^/]+/runCommands/patchwright-probe-[0-9a-f]{16}",
    re.IGNORECASE,
)

_PROBE_PARAMETERS: Final = frozenset({"Cloud", "Location"})

LONGEST_WAIT: Final = 60.0
"""Seconds: a longer `Retry-After` is not slept through here but handed on, as an unreadable fact or a failed step."""


def is_read(method: str, url: str) -> bool:
    """True where a request cannot change anything: GET, HEAD, or a POST to one of the known query endpoints."""
    if method in {"GET", "HEAD"}:
        return True
    return method == "POST" and _READ_POSTS.fullmatch(urlsplit(url).path) is not None


class PassThrough(HTTPPolicy[HttpRequest, HttpResponse]):
    """In the place of a credential, where no token is to be sent."""

    def send(self, request: PipelineRequest[HttpRequest]) -> PipelineResponse[HttpRequest, HttpResponse]:
        return self.next.send(request)


class CountRequests(HTTPPolicy[HttpRequest, HttpResponse]):
    """Counts what leaves the process, repetitions too; what a later policy forbade did not leave."""

    def __init__(self, requests: RequestCount, lock: threading.Lock, *, probing: bool = False) -> None:
        super().__init__()
        self._probing = probing
        self._requests = requests
        self._lock = lock

    def send(self, request: PipelineRequest[HttpRequest]) -> PipelineResponse[HttpRequest, HttpResponse]:
        try:
            response = self.next.send(request)
        except WriteForbidden:
            raise
        except Exception:
            self._count(request.http_request)
            raise
        self._count(request.http_request)
        return response

    def _count(self, request: HttpRequest) -> None:
        with self._lock:
            if is_read(request.method, request.url):
                self._requests.read += 1
            elif self._probing:
                self._requests.probe += 1
            else:
                self._requests.write += 1


class ReadOnlyPolicy(HTTPPolicy[HttpRequest, HttpResponse]):
    """The last thing before the wire of everything that only reads: whatever asked for a write, it is not sent."""

    def send(self, request: PipelineRequest[HttpRequest]) -> PipelineResponse[HttpRequest, HttpResponse]:
        method, url = request.http_request.method, request.http_request.url
        if not is_read(method, url):
            raise WriteForbidden(f"{method} {urlsplit(url).path[:300]} was not sent: only reads may leave from here")
        return self.next.send(request)


class ProbeOnlyPolicy(HTTPPolicy[HttpRequest, HttpResponse]):
    """The last thing before the wire of what looks into machines: besides reads, only its own run commands leave.

    Sent is one of the two diagnosis scripts, word for word, and taken away is what bears its name.
    """

    def __init__(self, scripts: frozenset[str]) -> None:
        super().__init__()
        self._scripts = scripts

    def send(self, request: PipelineRequest[HttpRequest]) -> PipelineResponse[HttpRequest, HttpResponse]:
        method, url = request.http_request.method, request.http_request.url
        if not is_read(method, url) and not self._is_probe(request.http_request):
            raise WriteForbidden(f"{method} {urlsplit(url).path[:300]} was not sent: it is not the diagnosis")
        return self.next.send(request)

    def _is_probe(self, request: HttpRequest) -> bool:
        if not _PROBES.fullmatch(urlsplit(request.url).path):
            return False
        if request.method == "DELETE":
            return True
        body = request.content
        try:
            document: Json = json.loads(body) if isinstance(body, str | bytes) else None
        except (ValueError, RecursionError):
            return False
        return request.method == "PUT" and isinstance(document, dict) and self._is_only_the_diagnosis(document)

    def _is_only_the_diagnosis(self, body: Document) -> bool:
        """One of the scripts, and beside it nothing that could run, redirect or dress up anything.

        A parameter is a variable of the script's environment on Linux, where `LD_PRELOAD` would be one, too.
        """
        properties = body.get("properties")
        if not isinstance(properties, dict) or not body.keys() <= {"location", "properties"}:
            return False
        source, parameters = properties.get("source"), properties.get("parameters")
        return (
            properties.keys() == {"source", "parameters", "asyncExecution", "timeoutInSeconds"}
            and isinstance(source, dict)
            and [*source] == ["script"]
            and source["script"] in self._scripts
            and isinstance(parameters, list)
            and all(_is_harmless(parameter) for parameter in parameters)
        )


def _is_harmless(parameter: Json) -> bool:
    return (
        isinstance(parameter, dict)
        and parameter.keys() == {"name", "value"}
        and parameter["name"] in _PROBE_PARAMETERS
        and isinstance(parameter["value"], str)
        and re.fullmatch("[a-z0-9]{0,30}", parameter["value"]) is not None
    )


class Correlate(HTTPPolicy[HttpRequest, HttpResponse]):
    """Names the run that a request is sent for, so that Azure's activity log leads back to its record."""

    def send(self, request: PipelineRequest[HttpRequest]) -> PipelineResponse[HttpRequest, HttpResponse]:
        if id_ := present():
            request.http_request.headers["x-ms-correlation-request-id"] = id_
        return self.next.send(request)


class StayHome(HTTPPolicy[HttpRequest, HttpResponse]):
    """Before a token is put into a request: a link in an answer must not lead it to somebody else's server."""

    def __init__(self, home: str) -> None:
        super().__init__()
        self._home = origin(home)

    def send(self, request: PipelineRequest[HttpRequest]) -> PipelineResponse[HttpRequest, HttpResponse]:
        there = origin(request.http_request.url)
        if there != self._home:
            raise AzureUnavailable(f"a link leads away from Azure, to {there[1]!r}")
        return self.next.send(request)


class ReadRetry(RetryPolicy[HttpRequest, HttpResponse]):
    """azure-core's own retries of reads, few and bounded. A write is sent once.

    Who writes has to read again before writing again: a write whose answer was lost may have happened. Nothing else
    repeats reads on top of this, or the waits would multiply.
    """

    def __init__(self, back_off: float) -> None:
        super().__init__(
            retry_total=4,
            retry_connect=2,
            retry_read=2,
            retry_status=3,
            retry_backoff_factor=back_off,
            retry_backoff_max=20,
            timeout=300,
        )

    def send(self, request: PipelineRequest[HttpRequest]) -> PipelineResponse[HttpRequest, HttpResponse]:
        options = request.context.options
        if is_read(request.http_request.method, request.http_request.url):
            options["retry_on_methods"] = frozenset({"GET", "HEAD", "POST"})
        else:
            options["retry_total"] = 0
        return super().send(request)

    def is_retry(self, settings: dict[str, Any], response: PipelineResponse[Any, Any]) -> bool:
        # azure-core would sleep for as long as the header says, and past its own time-out.
        if (self.get_retry_after(response) or 0) > LONGEST_WAIT:
            return False
        return bool(super().is_retry(settings, response))
