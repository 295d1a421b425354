"""The ways out to Azure: one pipeline for reading, and for the one door the services' own clients.

Everything is built when it is first used, and all of it sends through the same policies. Why reads and writes go
different ways: `docs/decisions/0011-reads-and-writes.md`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from engine.ports import RequestCount

if TYPE_CHECKING:
    from azure.core import PipelineClient
    from azure.core.credentials import AccessToken, TokenCredential
    from azure.core.rest import HttpRequest, HttpResponse
    from azure.monitor.query import LogsQueryClient

CONNECT_SECONDS: Final = 10
READ_SECONDS: Final = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Cloud:
    """Where one cloud answers, and whom its tokens are for."""

    manager: str
    """Resource Manager's address, without a slash at its end."""
    manager_scope: str
    logs: str
    """The address of log queries, without version; also their token's audience."""
    authority: str
    """Host that issues tokens; empty for the simulated Azure, which is sent none."""


CLOUDS: Final = {
    "public": Cloud(
        manager="https://management.azure.com",
        manager_scope="https://management.azure.com/.default",
        logs="https://api.loganalytics.io",
        authority="login.microsoftonline.com",
    ),
    "usgovernment": Cloud(
        manager="https://management.usgovcloudapi.net",
        manager_scope="https://management.core.usgovcloudapi.net/.default",
        logs="https://api.loganalytics.us",
        authority="login.microsoftonline.us",
    ),
    "china": Cloud(
        manager="https://management.chinacloudapi.cn",
        manager_scope="https://management.chinacloudapi.cn/.default",
        logs="https://api.loganalytics.azure.cn",
        authority="login.chinacloudapi.cn",
    ),
}


def cloud_of(setting: str) -> Cloud:
    """The cloud that `PATCHWRIGHT_CLOUD` names; any other text is the simulated Azure's address."""
    return CLOUDS.get(setting) or Cloud(manager=setting, manager_scope="", logs=setting, authority="")


class Clients:
    """Pipelines that act as one identity. Reader and writer have one each: a dry run holds no right to write."""

    def __init__(
        self,
        cloud: str,
        *,
        read_only: bool,
        client_id: str = "",
        back_off: float = 0.8,
        probes: frozenset[str] = frozenset(),
    ) -> None:
        """`client_id` names a managed identity; without it the environment's own identity is used.

        `back_off` is the seconds that azure-core waits at first before it repeats a read. `probes` are the texts of
        the scripts that these clients may send into machines, and then nothing else that could change anything.
        """
        self.cloud = cloud_of(cloud)
        self.requests = RequestCount()
        self._read_only = read_only
        self._probes = probes
        self._client_id = client_id
        self._back_off = back_off
        self._counting = threading.Lock()
        self._building = threading.Lock()

    def send(self, request: HttpRequest, *, read_seconds: float = READ_SECONDS) -> HttpResponse:
        """Send to Resource Manager; the request's URL is absolute.

        Raises:
            WriteForbidden: these clients only read, and the request could change something.
            azure.core.exceptions.AzureError: no answer.
        """
        with self._building:
            manager = self._manager
        return manager.send_request(request, stream=False, read_timeout=read_seconds)

    def send_query(self, request: HttpRequest, *, read_seconds: float) -> HttpResponse:
        """Send to Log Analytics; the request's URL is relative to the version. Raises as `send` does."""
        return self.logs.send_request(request, stream=False, read_timeout=read_seconds)

    @property
    def logs(self) -> LogsQueryClient:
        """The client for log queries."""
        with self._building:
            return self._logs

    def service[T](self, client: Callable[..., T], subscription: str) -> T:
        """A service's own client for one subscription. `client` is the SDK's class."""
        return client(
            self._credential or _NoCredential(),
            subscription,
            self.cloud.manager,
            credential_scopes=[self.cloud.manager_scope],
            policies=self._policies(self.cloud.manager, self.cloud.manager_scope),
            connection_timeout=CONNECT_SECONDS,
            read_timeout=READ_SECONDS,
        )

    @cached_property
    def _manager(self) -> PipelineClient[HttpRequest, HttpResponse]:
        from azure.mgmt.core import ARMPipelineClient  # noqa: PLC0415 - heavy; the function app's start must not pay

        # The list of policies is written out: the default one would register resource providers of its own accord.
        return ARMPipelineClient(
            self.cloud.manager,
            policies=self._policies(self.cloud.manager, self.cloud.manager_scope),
            connection_timeout=CONNECT_SECONDS,
        )

    @cached_property
    def _logs(self) -> LogsQueryClient:
        from azure.monitor.query import LogsQueryClient  # noqa: PLC0415 - as above

        return LogsQueryClient(
            self._credential or _NoCredential(),
            endpoint=f"{self.cloud.logs}/v1",
            policies=self._policies(self.cloud.logs, f"{self.cloud.logs}/.default"),
            connection_timeout=CONNECT_SECONDS,
        )

    @cached_property
    def _credential(self) -> TokenCredential | None:
        if not self.cloud.authority:
            return None
        from azure.identity import DefaultAzureCredential, ManagedIdentityCredential  # noqa: PLC0415 - as above

        if self._client_id:
            return ManagedIdentityCredential(client_id=self._client_id)
        return DefaultAzureCredential(authority=self.cloud.authority)

    def _policies(self, home: str, scope: str) -> list[object]:
        from azure.core.pipeline.policies import (  # noqa: PLC0415 - as above
            CustomHookPolicy,
            HeadersPolicy,
            ProxyPolicy,
            RequestIdPolicy,
            UserAgentPolicy,
        )
        from azure.mgmt.core.policies import ARMChallengeAuthenticationPolicy  # noqa: PLC0415 - as above

        from adapters.policies import (  # noqa: PLC0415 - as above
            Correlate,
            CountRequests,
            PassThrough,
            ProbeOnlyPolicy,
            ReadOnlyPolicy,
            ReadRetry,
            StayHome,
        )

        # azure-core refuses to send a token over plain HTTP, rightly; the simulated Azure is sent none.
        credential = self._credential
        identity = ARMChallengeAuthenticationPolicy(credential, scope) if credential else PassThrough()
        # No redirects: neither service answers with any, and a token must not follow one. No log line a request: what
        # a run did is in its record, and a sweep sends a hundred.
        policies: list[object] = [
            RequestIdPolicy(),
            Correlate(),
            HeadersPolicy(),
            UserAgentPolicy("patchwright"),
            ProxyPolicy(),
            # Above the retries, so that a hook sees the answer that the caller gets.
            CustomHookPolicy(),
            StayHome(home),
            ReadRetry(self._back_off),
            identity,
            CountRequests(self.requests, self._counting, probing=bool(self._probes)),
        ]
        if self._probes:
            return [*policies, ProbeOnlyPolicy(self._probes)]
        return [*policies, ReadOnlyPolicy()] if self._read_only else policies


def origin(url: str) -> tuple[str, str, int]:
    """Scheme, host and port of an address; empty where it is none."""
    try:
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        return ("", "", 0)
    return (parts.scheme, (parts.hostname or "").lower(), port)


class _NoCredential:
    """Stands where a client insists on a credential that the pass-through policy never asks."""

    def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        raise AssertionError(f"no token is sent to the simulated Azure, and one was asked for: {scopes}")
