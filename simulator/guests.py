"""The inside of machines: what Run Command reaches and Azure Resource Manager does not show.

A guest is a state machine. Its worker key (`HKLM\\SOFTWARE\\Microsoft\\HybridRunbookWorker`) holds the agent's
identity; when the key is gone and the agent restarts, the agent registers anew under another identity some minutes
later. In a fleet folder a guest may say (all optional):

- `workerKey`: `{"SourceComputerId": …, "RunbookWorkerGroup": …}`, or null where the key is absent. Without it the
  identity is the one of the heartbeats, and the group that of a User hybrid worker on that machine.
- `healthService`: `Running` (default) or `Stopped`.
- `neededWindow`: how long patching really takes (ISO 8601); a deployment with a shorter window exceeds it.
- `registersAfter`: how long registration takes (ISO 8601, default `PT5M`), or null for an agent that never does.
- `diagnosis`: what single rules of the diagnosis say in this guest, by their code: `{"dsk": "F:100MB"}`.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from model.documents import Document, Json, text_at
from model.times import parse_duration
from simulator.fleet import BrokenFleet

_KNOWN: Final = frozenset({"workerKey", "healthService", "neededWindow", "registersAfter", "diagnosis"})
_REGISTRATION: Final = timedelta(minutes=5)
_NAMESPACE: Final = uuid.UUID("6f1c4d53-2f0e-4a55-9f0f-7f2f0c1b7a10")


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerKey:
    """What the registry key holds."""

    source_computer_id: str
    user_group: str = ""
    """`RunbookWorkerGroup`: set where a person registered the machine as a hybrid worker."""

    def export(self) -> str:
        """The text that `reg export` writes."""
        lines = [
            "Windows Registry Editor Version 5.00",
            "",
            r"[HKEY_LOCAL_MACHINE\SOFTWARE\Microsoft\HybridRunbookWorker]",
            f'"SourceComputerId"="{self.source_computer_id}"',
        ]
        if self.user_group:
            lines.append(f'"RunbookWorkerGroup"="{self.user_group}"')
        return "\r\n".join([*lines, ""])


@dataclass(slots=True, kw_only=True)
class Guest:
    """One machine's inside; changes as scripts run and time passes."""

    agent: str
    """Lower-case resource id."""
    os: str
    key: WorkerKey | None
    running: bool = True
    """HealthService."""
    needed_window: timedelta | None = None
    registers_after: timedelta | None = _REGISTRATION
    files: dict[str, WorkerKey] = field(default_factory=dict)
    """Exports by path in lower case, as Windows compares paths."""
    marks: set[str] = field(default_factory=set)
    """Steps that are done here, and do nothing when they are delivered again."""
    diagnosis: Mapping[str, str] = field(default_factory=dict)
    """What rules of the diagnosis say, by code, where it is not what the rest of the guest's state makes them say."""
    registrations: int = 0
    restarts: int = 0

    def next_identity(self) -> str:
        """The identity that the next registration brings: new, and the same in every repetition of a run."""
        return str(uuid.uuid5(_NAMESPACE, f"{self.agent}#{self.registrations + 1}"))


def sha256_of(text: str) -> str:
    return hashlib.sha256(text.encode("utf-16")).hexdigest()


def make_guest(agent: str, os: str, identity: str, user_group: str, given: Mapping[str, Json] | None) -> Guest:
    """The guest that a fleet describes, or a healthy one.

    Raises:
        BrokenFleet: a key is unknown or has a value that cannot be used.
    """
    given = dict(given or {})
    if unknown := given.keys() - _KNOWN:
        raise BrokenFleet(f"guest {agent}: there is no such key: {', '.join(sorted(unknown))}")
    key = WorkerKey(source_computer_id=identity, user_group=user_group) if identity or user_group else None
    if "workerKey" in given:
        held = given["workerKey"]
        key = _worker_key(held, identity) if isinstance(held, dict) else None
    return Guest(
        agent=agent,
        os=os,
        key=key,
        running=given.get("healthService", "Running") == "Running",
        needed_window=_length(agent, "neededWindow", given.get("neededWindow")),
        diagnosis={
            code: text_at(held, code) for held in [given.get("diagnosis")] if isinstance(held, dict) for code in held
        },
        registers_after=_length(agent, "registersAfter", given.get("registersAfter", "PT5M")),
    )


def _worker_key(held: Document, identity: str) -> WorkerKey:
    return WorkerKey(
        source_computer_id=text_at(held, "SourceComputerId") or identity,
        user_group=text_at(held, "RunbookWorkerGroup"),
    )


def _length(agent: str, name: str, text: Json) -> timedelta | None:
    value = parse_duration(text) if text is not None else None
    if text is not None and value is None:
        raise BrokenFleet(f"guest {agent}: {name} is not an ISO 8601 duration: {text!r:.40}")
    return value
