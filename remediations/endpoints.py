"""What a machine has to reach, by cloud: the exact list for whoever opens a firewall or a proxy."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Final

CLOUDS: Final = frozenset({"public", "usgovernment", "china"})
TAGS: Final = ("GuestAndHybridManagement", "AzureMonitor")
"""Service tags with which a network security group or Azure Firewall allows all of it."""
_WORKSPACE: Final = "<workspace>"


class InvalidEndpoints(ValueError):
    """The data file is wrong; the message names the row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One row: a host that agents of a cloud speak to."""

    cloud: str
    host: str
    """A name, with `*` for any name below it and `<workspace>` for the workspace's own id."""
    port: int
    purpose: str
    source: str
    reviewed: date
    """When somebody last compared the row with its source."""


def parse_endpoints(text: str) -> tuple[Endpoint, ...]:
    """The rows of a data file.

    Raises:
        InvalidEndpoints: it is not a list of rows, or a field of one is missing or of another kind.
    """
    try:
        rows: object = json.loads(text)
    except ValueError as error:
        raise InvalidEndpoints(f"not JSON: {error}") from error
    if not isinstance(rows, list):
        raise InvalidEndpoints("not a list of rows")
    return tuple(_row(number, row) for number, row in enumerate(rows, start=1))


def _row(number: int, row: object) -> Endpoint:
    match row:
        case {
            "cloud": str(cloud),
            "host": str(host),
            "port": int(port),
            "for": str(purpose),
            "source": str(source),
            "reviewed": str(reviewed),
            **rest,
        } if not rest and cloud in CLOUDS and host and purpose and source and 0 < port < 65536:
            try:
                when = date.fromisoformat(reviewed)
            except ValueError as error:
                raise InvalidEndpoints(f"row {number} ({host}): {error}") from error
            return Endpoint(cloud=cloud, host=host, port=port, purpose=purpose, source=source, reviewed=when)
        case _:
            raise InvalidEndpoints(f"row {number} is not an endpoint: {row!r:.200}")


@lru_cache(maxsize=1)
def _all() -> tuple[Endpoint, ...]:
    return parse_endpoints((Path(__file__).parent / "data" / "endpoints.json").read_text(encoding="utf-8"))


def endpoints(cloud: str, workspace_guid: str) -> tuple[str, ...]:
    """`host:port (what for)` of a cloud, with the workspace's own names; a simulated cloud is the public one."""
    wanted = cloud if cloud in CLOUDS else "public"
    return tuple(
        f"{row.host.replace(_WORKSPACE, workspace_guid or '*')}:{row.port} ({row.purpose})"
        for row in _all()
        if row.cloud == wanted
    )
