"""Resource Manager in our words: documents as Azure sent them, complete lists or none, three kinds of failure."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urlencode, urljoin, urlsplit

from adapters.clients import READ_SECONDS, Clients, origin
from engine.ports import AzureUnavailable, NotFound, PermissionMissing
from model.documents import Document, Json, at, text_at
from model.secrets import without_secrets

if TYPE_CHECKING:
    from azure.core.rest import HttpRequest, HttpResponse

API_VERSIONS: Final[Mapping[str, str]] = {
    "microsoft.automation": "2024-10-23",
    "microsoft.compute": "2026-04-01",
    "microsoft.hybridcompute": "2026-07-15",
    "microsoft.operationalinsights": "2025-07-01",
    "microsoft.operationsmanagement": "2015-11-01-preview",
    "microsoft.resourcegraph": "2021-03-01",
}
"""By lower-case namespace of the innermost provider in a path."""
RESOURCES_API: Final = "2025-04-01"
"""Subscriptions' own things: resource providers and their registration."""
MOST_PAGES: Final = 10_000

_NAMESPACE: Final = re.compile(r".*/providers/([^/?]+)/", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One answer, whatever its status."""

    status: int
    body: Json
    """None where there was no body."""
    request_id: str
    retry_after: timedelta | None

    @property
    def document(self) -> Document:
        """The body, where it is an object; else an empty one."""
        return self.body if isinstance(self.body, dict) else {}

    @property
    def error(self) -> str:
        """Code and message of an error body, shortened and without secrets. Automation's are flat; the others' stand
        under `error`."""
        inner = self.document.get("error")
        said = inner if isinstance(inner, dict) else self.document
        parts = (text_at(said, "code"), text_at(said, "message"))
        return without_secrets(": ".join(part for part in parts if part))[:400]


class Arm:
    """Requests to Resource Manager as one identity."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
        self._base = clients.cloud.manager

    def url(self, path: str, api_version: str = "", query: Mapping[str, str] | None = None) -> str:
        """The address of a path. Raises `ValueError` for a path that would lead somewhere else."""
        if not path.startswith("/") or any(part in {".", "..", ""} for part in path[1:].split("/")):
            raise ValueError(f"not a path of Resource Manager: {path[:300]!r}")
        if not api_version:
            namespace = _NAMESPACE.match(path)
            api_version = API_VERSIONS.get(namespace[1].lower(), "") if namespace else RESOURCES_API
        if not api_version:
            raise ValueError(f"no api-version is known for {path[:300]!r}")
        # Azure's own ids hold characters that a URL may not, such as the bar in a saved search's name.
        return f"{self._base}{quote(path, safe='/()$')}?" + urlencode(
            {**(query or {}), "api-version": api_version}, quote_via=quote, safe="$"
        )

    def send(self, method: str, url: str, body: Document | None = None) -> Answer:
        """Send one request and take any answer that is JSON or empty.

        Raises:
            AzureUnavailable: no answer, or one that is not JSON.
            PermissionMissing: no token could be had.
            WriteForbidden: a write, through clients that only read.
        """
        from azure.core.rest import HttpRequest  # noqa: PLC0415 - heavy; the function app's start must not pay

        request = HttpRequest(method, url, json=body, headers={"Accept": "application/json"})
        return answered(request, lambda: self._clients.send(request, read_seconds=READ_SECONDS))

    def get(self, path: str, api_version: str = "", query: Mapping[str, str] | None = None) -> Document:
        """The document at a path.

        Raises:
            NotFound: 404.
            PermissionMissing: 401 or 403.
            AzureUnavailable: anything else but a JSON object.
        """
        return self._get(self.url(path, api_version, query), path)

    def post(self, path: str, body: Document) -> Document:
        """The answer to a query that is too long for a URL. Raises as `get` does."""
        return usable(f"POST {path}", self.send("POST", self.url(path), body))

    def content(self, path: str) -> bytes:
        """The bytes at a path that answers with something else than JSON.

        Raises as `get` does.
        """
        from azure.core.exceptions import AzureError, ClientAuthenticationError  # noqa: PLC0415 - heavy, as above
        from azure.core.rest import HttpRequest  # noqa: PLC0415

        what = f"GET {path}"
        request = HttpRequest("GET", self.url(path), headers={"Accept": "text/plain, application/json"})
        try:
            response = self._clients.send(request, read_seconds=READ_SECONDS)
            content = response.content
        except ClientAuthenticationError as error:
            raise PermissionMissing(f"{what}: no token: {str(error)[:300]}") from error
        except (AzureError, OSError) as error:
            raise AzureUnavailable(f"{what}: {type(error).__name__}: {str(error)[:300]}") from error
        if response.status_code not in {200, 204}:
            usable(what, answer_of(what, response))
            raise AzureUnavailable(f"{what}: {response.status_code}")
        return content

    def _get(self, url: str, path: str) -> Document:
        return usable(f"GET {path}", self.send("GET", url))

    def pages(
        self, path: str, query: Mapping[str, str] | None = None, api_version: str = ""
    ) -> Iterator[list[Document]]:
        """The pages of a list, following `nextLink`; an incomplete list ends in an exception, never short.

        Raises as `get` does.
        """
        url, seen = self.url(path, api_version, query), set[str]()
        while url:
            if url in seen or len(seen) == MOST_PAGES:
                raise AzureUnavailable(f"GET {path}: the pages do not end")
            seen.add(url)
            page = self._get(url, path)
            yield _items(path, page)
            url = self._next(path, url, page.get("nextLink"))

    def all_of(self, path: str, query: Mapping[str, str] | None = None, api_version: str = "") -> list[Document]:
        """All documents of a list. Raises as `get` does."""
        return [document for page in self.pages(path, query, api_version) for document in page]

    def bare_list(self, path: str) -> list[Document]:
        """The documents of an answer that is a list and nothing else. Raises as `get` does."""
        answer = self.send("GET", self.url(path))
        if answer.status != 200:
            usable(f"GET {path}", answer)
        return _items(path, {"value": answer.body})

    def _next(self, path: str, here: str, link: Json) -> str:
        """The next page's address; empty at the end."""
        if link is None or link == "":
            return ""
        if not isinstance(link, str):
            raise AzureUnavailable(f"GET {path}: nextLink is not text")
        address = urljoin(here, link)
        # The token goes wherever the link points.
        if origin(address) != origin(self._base):
            raise AzureUnavailable(f"GET {path}: nextLink leads away from Resource Manager, to {origin(address)[1]!r}")
        return address


def answered(request: HttpRequest, send: Callable[[], HttpResponse]) -> Answer:
    """What `send` answers, in our words. Raises as `Arm.send` does."""
    from azure.core.exceptions import AzureError, ClientAuthenticationError  # noqa: PLC0415 - heavy

    what = f"{request.method} {urlsplit(request.url).path[:300]}"
    try:
        return answer_of(what, send())
    except ClientAuthenticationError as error:
        raise PermissionMissing(f"{what}: no token: {str(error)[:300]}") from error
    except (AzureError, OSError) as error:
        raise AzureUnavailable(f"{what}: {type(error).__name__}: {str(error)[:300]}") from error


def answer_of(what: str, response: HttpResponse) -> Answer:
    """A response as it came. Raises `AzureUnavailable` where its body is not JSON."""
    wait = response.headers.get("Retry-After", "")
    return Answer(
        status=response.status_code,
        body=parsed(what, response.status_code, response.content),
        request_id=response.headers.get("x-ms-request-id", ""),
        retry_after=timedelta(seconds=int(wait)) if wait.isascii() and wait.isdigit() and len(wait) < 7 else None,
    )


def parsed(what: str, status: int, content: bytes) -> Json:
    """The JSON in a body, None in an empty one. Raises `AzureUnavailable` where it is something else."""
    if not content.strip():
        return None
    try:
        body: Json = json.loads(content)
    except (ValueError, RecursionError) as error:
        if status >= 300:
            # A gateway's error page: the status says it all.
            return None
        raise AzureUnavailable(f"{what}: {status}, and the body is not JSON: {content[:60]!r}") from error
    return body


def usable(what: str, answer: Answer) -> Document:
    """The document of a good answer; any other becomes one of the three exceptions of `Arm.get`."""
    problem = f"{what}: {answer.status} {answer.error}".rstrip()
    match answer.status:
        case 200 if isinstance(answer.body, dict):
            return answer.body
        case 200:
            raise AzureUnavailable(f"{what}: 200 without a JSON object")
        case 404:
            raise NotFound(problem)
        case 401 | 403:
            raise PermissionMissing(problem)
        case _:
            raise AzureUnavailable(problem, answer.retry_after)


def _items(path: str, page: Document) -> list[Document]:
    value = page.get("value")
    if not isinstance(value, list):
        raise AzureUnavailable(f"GET {path}: a page without a list")
    items = [item for item in value if isinstance(item, dict)]
    if len(items) != len(value):
        raise AzureUnavailable(f"GET {path}: a list with something else than objects")
    return items


def id_of(document: Document, what: str) -> str:
    """The document's id in Azure's spelling. Raises `AzureUnavailable` where it has none."""
    value = at(document, "id")
    if not isinstance(value, str) or not value.strip("/"):
        raise AzureUnavailable(f"{what}: an entry without an id")
    # Log Analytics has been seen to leave out the slash at the beginning.
    return value if value.startswith("/") else f"/{value}"
