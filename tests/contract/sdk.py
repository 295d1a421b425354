"""Microsoft's own SDK clients, pointed at the simulated Azure, with every exchange recorded as it was on the wire."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

from azure.core.pipeline.policies import SansIOHTTPPolicy
from azure.mgmt.automation import AutomationClient
from azure.mgmt.compute import ComputeManagementClient
from azure.mgmt.hybridcompute import HybridComputeManagementClient
from azure.mgmt.loganalytics import LogAnalyticsManagementClient
from azure.mgmt.resource.resources import ResourceManagementClient
from azure.mgmt.resourcegraph import ResourceGraphClient
from azure.monitor.query import LogsQueryClient


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One request and its answer, bodies parsed."""

    method: str
    path: str
    """With the query string."""
    sent: Any
    status: int
    answered: Any

    def __str__(self) -> str:
        return f"{self.method} {self.path} -> {self.status}"


class Recorder(SansIOHTTPPolicy[Any, Any]):
    """Sits next to the transport, so that it sees each attempt and what polling asks."""

    def __init__(self) -> None:
        self.exchanges: list[Exchange] = []

    def on_response(self, request: Any, response: Any) -> None:
        sent, answer = request.http_request, response.http_response
        address = urlsplit(sent.url)
        # Both generations of azure-core's requests are about; one calls its body `content`, the other `data`.
        content = getattr(sent, "content", None) or getattr(sent, "data", None)
        if hasattr(answer, "read"):
            answer.read()
        self.exchanges.append(
            Exchange(
                method=sent.method,
                path=address.path + (f"?{address.query}" if address.query else ""),
                sent=_parsed(content),
                status=answer.status_code,
                answered=_parsed(answer.text()),
            )
        )


def _parsed(content: Any) -> Any:
    """JSON where it is, the text where it is not, None where it is empty."""
    if not content or isinstance(content, dict | list):
        return content or None
    try:
        return json.loads(content)
    except ValueError:
        return content


class _NoCredential:
    def get_token(self, *scopes: str, **_: object) -> Any:
        raise AssertionError(f"no token is sent to the simulated Azure, and one was asked for: {scopes}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sdk:
    """The clients of one subscription."""

    automation: AutomationClient
    compute: ComputeManagementClient
    arc: HybridComputeManagementClient
    log_analytics: LogAnalyticsManagementClient
    resources: ResourceManagementClient
    graph: ResourceGraphClient
    logs: LogsQueryClient
    recorder: Recorder = field(default_factory=Recorder)


NO_WAITING: Final = {"polling_interval": 0}
"""For long-running operations: the simulated ones end at once."""


def sdk(url: str, subscription: str) -> Sdk:
    recorder = Recorder()
    # azure-core refuses to send a token over plain HTTP, rightly; this policy sends none.
    ways: Any = {
        "authentication_policy": SansIOHTTPPolicy(),
        "per_retry_policies": [recorder],
        "retry_total": 0,
        **NO_WAITING,
    }
    credential: Any = _NoCredential()
    return Sdk(
        automation=AutomationClient(credential, subscription, url, **ways),
        compute=ComputeManagementClient(credential, subscription, url, **ways),
        arc=HybridComputeManagementClient(credential, subscription, url, **ways),
        log_analytics=LogAnalyticsManagementClient(credential, subscription, url, **ways),
        resources=ResourceManagementClient(credential, subscription, url, **ways),
        graph=ResourceGraphClient(credential, url, **ways),
        logs=LogsQueryClient(credential, endpoint=f"{url}/v1", **ways),
        recorder=recorder,
    )
