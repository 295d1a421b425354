"""A running simulated Azure with Microsoft's SDK clients, and plain HTTP for what the SDK would hide."""

from __future__ import annotations

import contextlib
import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from model.documents import Document
from simulator.options import Options
from simulator.serve import Simulator, running
from tests.contract.sdk import Sdk, sdk
from tests.simulator.small_estate import RG, SUBSCRIPTION, SmallEstate

FIVE_MINUTES: Final = timedelta(minutes=5)
HOUR: Final = timedelta(hours=1)
DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    status: int
    body: Any
    headers: dict[str, str]
    """By lower-case name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Azure:
    simulator: Simulator
    sdk: Sdk

    def http(self, method: str, path: str, body: Document | None = None, **headers: str) -> Reply:
        """One plain request; `path` may be a whole address, such as a next link."""
        request = urllib.request.Request(  # noqa: S310 - loopback
            path if path.startswith("http") else self.simulator.url + path,
            data=None if body is None else json.dumps(body).encode(),
            method=method,
            headers={"Content-Type": "application/json", **headers},
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - loopback
                return _reply(answer.status, answer.read(), dict(answer.headers))
        except urllib.error.HTTPError as error:
            with error:
                return _reply(error.code, error.read(), dict(error.headers))

    def query(self, text: str, *, timespan: timedelta | None = None) -> list[Any]:
        """Rows that the query client reads."""
        answer: Any = self.sdk.logs.query_workspace(self.simulator.workspace_guid, text, timespan=timespan)
        return [list(row) for row in answer.tables[0].rows]

    def identities(self, computer: str) -> list[str]:
        """Under which identities a computer beat within the last hour, the newest first."""
        rows = self.query(
            "Heartbeat | where TimeGenerated > ago(1h) | order by TimeGenerated desc "
            "| project Computer, SourceComputerId"
        )
        return list(dict.fromkeys(identity for name, identity in rows if name.startswith(computer)))

    def deployment(self, name: str) -> Any:
        return self.sdk.automation.software_update_configurations.get_by_name(RG, "aa", name)

    def put_deployment(self, name: str, body: Document) -> Any:
        parameters: Any = body
        return self.sdk.automation.software_update_configurations.create(RG, "aa", name, parameters)

    def machine_runs(self, filter: str | None = None) -> list[Any]:  # noqa: A002 - the SDK's word
        listed = self.sdk.automation.software_update_configuration_machine_runs.list(RG, "aa", filter=filter)
        return list(listed.value or [])

    def runs(self) -> list[Any]:
        return list(self.sdk.automation.software_update_configuration_runs.list(RG, "aa").value or [])


@contextlib.contextmanager
def azure(estate: SmallEstate, **options: Any) -> Iterator[Azure]:
    """A simulated Azure over a small estate; long operations ask for no waiting."""
    with running(estate.fleet(), options=Options(retry_after=0, **options)) as simulator:
        yield Azure(simulator=simulator, sdk=sdk(simulator.url, SUBSCRIPTION))


def _reply(status: int, content: bytes, headers: dict[str, str]) -> Reply:
    try:
        body: Any = json.loads(content) if content else None
    except ValueError:
        body = content.decode()
    return Reply(status=status, body=body, headers={name.lower(): value for name, value in headers.items()})
