"""The services' own clients, and what they are answered: documents as Azure sent them, or our exceptions."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, Protocol, cast

from adapters.arm import Answer, answer_of
from adapters.clients import Clients
from engine.ports import AzureProblem, AzureUnavailable, NotFound, PermissionMissing
from model.documents import Document
from model.resource_ids import ResourceId

if TYPE_CHECKING:
    from azure.core.rest import HttpResponse
    from azure.mgmt.automation import AutomationClient
    from azure.mgmt.compute import ComputeManagementClient
    from azure.mgmt.hybridcompute import HybridComputeManagementClient
    from azure.mgmt.loganalytics import LogAnalyticsManagementClient
    from azure.mgmt.resource.resources import ResourceManagementClient
    from azure.monitor.query import LogsQueryClient

MOST_PAGES: Final = 100
"""Of the lists that a step reads, which are about one machine."""
_DENIED: Final = re.compile(r"perform action '([^']{1,200})'.{0,80}? over scope '([^']{1,400})'", re.DOTALL)


class Conflict(AzureUnavailable):
    """Something else is being done to the target, or was since it was read (409, 412)."""


class Rejected(AzureProblem):
    """Azure understood the request and will not have it; the same one again fares no better."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Right:
    """What an operation does, in the words in which it is granted."""

    action: str
    """As a role names it: `Microsoft.Compute/virtualMachines/runCommands/write`."""
    scope: str
    """Id of what it is done to."""

    def __str__(self) -> str:
        return f"{self.action} on {self.scope}"


class Hook(Protocol):
    """Given to an operation as `raw_response_hook`: is shown each answer before a model is made of it."""

    def __call__(self, response: Seen) -> None: ...


class Seen(Protocol):
    """The part of azure-core's `PipelineResponse` that a hook looks at."""

    @property
    def http_response(self) -> HttpResponse: ...


class Sdk:
    """The clients of one identity. Each is built when it is first asked for, once for each subscription."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
        self._built: dict[tuple[object, str], Any] = {}
        self._building = threading.Lock()

    def automation(self, subscription: str) -> AutomationClient:
        from azure.mgmt.automation import AutomationClient  # noqa: PLC0415 - heavy; only writes need it

        return self._service(AutomationClient, subscription)

    def compute(self, subscription: str) -> ComputeManagementClient:
        from azure.mgmt.compute import ComputeManagementClient  # noqa: PLC0415 - as above

        return self._service(ComputeManagementClient, subscription)

    def hybrid_compute(self, subscription: str) -> HybridComputeManagementClient:
        from azure.mgmt.hybridcompute import HybridComputeManagementClient  # noqa: PLC0415 - as above

        return self._service(HybridComputeManagementClient, subscription)

    def log_analytics(self, subscription: str) -> LogAnalyticsManagementClient:
        from azure.mgmt.loganalytics import LogAnalyticsManagementClient  # noqa: PLC0415 - as above

        return self._service(LogAnalyticsManagementClient, subscription)

    def resources(self, subscription: str) -> ResourceManagementClient:
        from azure.mgmt.resource.resources import ResourceManagementClient  # noqa: PLC0415 - as above

        return self._service(ResourceManagementClient, subscription)

    @property
    def logs(self) -> LogsQueryClient:
        return self._clients.logs

    def _service[T](self, client: Callable[..., T], subscription: str) -> T:
        with self._building:
            key = (client, subscription.lower())
            if key not in self._built:
                self._built[key] = self._clients.service(client, subscription)
            built: T = self._built[key]
            return built


def named(text: str, full_type: str) -> ResourceId:
    """The id of something of a type. Raises `ValueError` for any other text, also one that would lead elsewhere."""
    found = ResourceId.parse(text)
    if not found.is_type(full_type):
        raise ValueError(f"not the id of a {full_type}: {text[:300]!r}")
    proper(found.subscription, found.resource_group, *found.names)
    return found


def proper(*names: str) -> None:
    """Raises `ValueError` where a name would be more than a name in a path."""
    for name in names:
        if name in {"", ".", ".."} or "/" in name:
            raise ValueError(f"not a name in a path of Resource Manager: {name[:100]!r}")


def untyped(body: Document) -> Any:
    """A body for an operation. The SDK sends a plain one as it is, also with fields that its own types do not know."""
    return body


def answer_to(right: Right, operation: Callable[[Hook], object]) -> Answer:
    """Carry out an operation of the SDK; answers what Azure sent, and not what the SDK's models made of it.

    `operation` hands its argument on as `raw_response_hook`. A refusal is an answer, too: see `asked`.

    Raises:
        PermissionMissing: no token could be had.
        AzureUnavailable: no answer, or one that is not JSON. What was asked for may have happened.
        ValueError: the SDK could not make a request of it; nothing was sent.
    """
    answer, _ = _answer_to(right, operation)
    return answer


def asked(right: Right, operation: Callable[[Hook], object]) -> Answer:
    """Carry out an operation of the SDK as `answer_to` does, and take nothing but success for an answer.

    Raises:
        NotFound: 404.
        PermissionMissing: 401 or 403; no token could be had.
        Conflict: 409 or 412.
        Rejected: any other refusal.
        AzureUnavailable: no answer, one that is not JSON, or one that says to come again. What was asked for may
            have happened.
        ValueError: the SDK could not make a request of it; nothing was sent.
    """
    answer, error = _answer_to(right, operation)
    if answer.status < 300:
        # Also a success that the client did not foresee, such as 201 where it knows 200: done is done.
        return answer
    raise _refused(right, answer) from error


def _answer_to(right: Right, operation: Callable[[Hook], object]) -> tuple[Answer, Exception | None]:
    """The answer, and what the SDK raised over it."""
    from azure.core.exceptions import AzureError, DecodeError, HttpResponseError  # noqa: PLC0415 - heavy

    seen: list[HttpResponse] = []
    raised: Exception | None = None
    try:
        operation(lambda response: seen.append(response.http_response))
    except HttpResponseError as error:
        if error.response is None or isinstance(error, DecodeError):
            raise _unanswered(right, error) from error
        # The SDK types it by what its two generations of responses have in common.
        seen, raised = [cast("HttpResponse", error.response)], error
    except (AzureError, OSError) as error:
        raise _unanswered(right, error) from error
    except (ValueError, TypeError, AttributeError, LookupError, RecursionError) as error:
        # An answer that no model can be made of is judged by what it is; without one it was our request.
        if not seen:
            raise
        raised = error
    if not seen:
        raise AzureUnavailable(f"{right}: no answer was seen")
    return answer_of(str(right), seen[-1]), raised


def document(right: Right, operation: Callable[[Hook], object]) -> Document:
    """The document that an operation reads. Raises as `asked` does."""
    answer = asked(right, operation)
    if not isinstance(answer.body, dict):
        raise AzureUnavailable(f"{right}: {answer.status} without a JSON object")
    return answer.body


def documents(right: Right, operation: Callable[[Hook], Pages]) -> list[Document]:
    """All documents of a paged list; an incomplete list ends in an exception, never short. Raises as `asked` does."""
    found: list[Document] = []
    pages = 0

    def listed(seen: Hook) -> None:
        def page(response: Seen) -> None:
            nonlocal pages
            pages += 1
            # The pager takes a page without a list for an empty one.
            found.extend(_items(right, response.http_response))
            seen(response)

        for _ in islice(operation(page).by_page(), MOST_PAGES + 1):
            if pages > MOST_PAGES:
                raise AzureUnavailable(f"{right}: the pages do not end")

    asked(right, listed)
    return found


class Pages(Protocol):
    """azure-core's `ItemPaged`, as far as it matters here."""

    def by_page(self) -> Iterable[object]: ...


def _items(right: Right, response: HttpResponse) -> list[Document]:
    answer = answer_of(str(right), response)
    if answer.status >= 300:
        return []
    value = answer.document.get("value")
    items = [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
    if not isinstance(value, list) or len(items) != len(value):
        raise AzureUnavailable(f"{right}: a page without a list of objects")
    return items


def _unanswered(right: Right, error: Exception) -> AzureUnavailable | PermissionMissing:
    from azure.core.exceptions import ClientAuthenticationError  # noqa: PLC0415 - heavy

    if isinstance(error, ClientAuthenticationError):
        return PermissionMissing(f"{right}: no token: {str(error)[:300]}")
    return AzureUnavailable(f"{right}: {type(error).__name__}: {str(error)[:300]}")


def _refused(right: Right, answer: Answer) -> AzureProblem:
    """What a refusal means to whoever asked."""
    problem = _meaning(right, answer)
    problem.request_id = answer.request_id
    return problem


def _meaning(right: Right, answer: Answer) -> AzureProblem:
    problem = f"{right}: {answer.status} {answer.error}".rstrip()
    match answer.status:
        case 404:
            return NotFound(problem)
        case 401 | 403:
            # Saving a deployment also takes a right on every machine that it names: Azure says which one is missing.
            denied = _DENIED.search(answer.error)
            missing = Right(action=denied[1], scope=denied[2]) if denied else right
            return PermissionMissing(f"{missing} is not granted: {answer.status} {answer.error}".rstrip())
        case 409 | 412:
            return Conflict(problem, answer.retry_after)
        case 408 | 429:
            return AzureUnavailable(problem, answer.retry_after)
        case status if status >= 500:
            return AzureUnavailable(problem, answer.retry_after)
        case _:
            return Rejected(problem)
