"""The inside of machines: what Run Command reaches and Azure Resource Manager does not show.

A guest is a state machine. Its worker key (`HKLM\\SOFTWARE\\Microsoft\\HybridRunbookWorker`) holds the agent's
identity; when the key is gone and the agent restarts, the agent registers anew under another identity some minutes
later. In a fleet folder a guest may say (all optional):

- `workerKey`: `{"SourceComputerId": …, "RunbookWorkerGroup": …}`, or null where the key is absent. Without it the
  identity is the one of the heartbeats, and the group that of a User hybrid worker on that machine.
- `healthService`, the agent's service on Linux too: `Running` (default), `Stopped`, `Disabled` or `Absent`.
- `clockAhead`: how far its clock is ahead (ISO 8601); by default as far as its newest heartbeat.
- `windows`, `linux`: what `simulator/windows.py` and `simulator/linux.py` say.
- `neededWindow`: how long patching really takes (ISO 8601); a deployment with a shorter window exceeds it.
- `registersAfter`: how long registration takes (ISO 8601, default `PT5M`), or null for an agent that never does.
- `installedUpdates`: numbers of the updates that the machine itself lists, `["5031364"]`; without it nobody can tell.
- `diagnosis`: what single rules of the diagnosis say in this guest, by their code: `{"dsk": "F:100MB"}`; or text that
  it printed, word for word; or the list that Microsoft's troubleshooter printed, by which only `sweep --from` goes.
"""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from model.documents import Document, Json, text_at
from model.times import parse_duration
from simulator.fleet import BrokenFleet
from simulator.linux import Linux, given_linux
from simulator.windows import Windows, given_windows

_KNOWN: Final = frozenset(
    {
        "workerKey",
        "healthService",
        "neededWindow",
        "registersAfter",
        "diagnosis",
        "clockAhead",
        "installedUpdates",
        "windows",
        "linux",
    }
)
_AGENTS: Final = frozenset({"Running", "Stopped", "Disabled", "Absent"})
_VALUE: Final = re.compile(r'^"(\w+)"="(.*)"\r?$', re.MULTILINE)
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

    @classmethod
    def imported(cls, text: str) -> WorkerKey:
        """What `reg import` makes of an export."""
        held = dict(_VALUE.findall(text))
        return cls(source_computer_id=held.get("SourceComputerId", ""), user_group=held.get("RunbookWorkerGroup", ""))


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """What one of our scripts wrote down."""

    text: str
    written: datetime


@dataclass(slots=True, kw_only=True)
class Guest:
    """One machine's inside; changes as scripts run and time passes."""

    agent: str
    """Lower-case resource id."""
    os: str
    key: WorkerKey | None
    running: bool = True
    """The agent: HealthService, or omsagent."""
    agent_start: str = "Automatic"
    """`Disabled` where somebody wanted it so; empty where there is no agent."""
    clock_ahead: timedelta = timedelta()
    """How far its clock is ahead of the time."""
    windows: Windows = field(default_factory=Windows)
    """Of a Windows machine only."""
    linux: Linux = field(default_factory=Linux)
    """Of a Linux machine only."""
    needed_window: timedelta | None = None
    registers_after: timedelta | None = _REGISTRATION
    files: dict[str, File] = field(default_factory=dict)
    """Records of our scripts, by path in lower case, as Windows compares paths."""
    diagnosis: Mapping[str, str] = field(default_factory=dict)
    """What rules of the diagnosis say, by code, where it is not what the rest of the guest's state makes them say."""
    installed_updates: tuple[str, ...] | None = None
    """Numbers of the updates that Windows lists as installed; None where the fleet does not say."""
    printed: str = ""
    """What the diagnosis printed here, word for word; empty where it prints what the guest is like."""
    registrations: int = 0
    restarts: int = 0

    def next_identity(self) -> str:
        """The identity that the next registration brings: new, and the same in every repetition of a run."""
        return str(uuid.uuid5(_NAMESPACE, f"{self.agent}#{self.registrations + 1}"))


def sha256_of(text: str) -> str:
    return hashlib.sha256(text.encode("utf-16")).hexdigest()


def make_guest(agent: str, os: str, identity: str, user_group: str) -> Guest:
    """A healthy guest."""
    key = WorkerKey(source_computer_id=identity, user_group=user_group) if identity or user_group else None
    return Guest(agent=agent, os=os, key=key)


def describe(guest: Guest, given: Mapping[str, Json], now: datetime) -> None:
    """Make a guest what a fleet of the time `now` says of it.

    Raises:
        BrokenFleet: a key is unknown or has a value that cannot be used.
    """
    where = f"guest {guest.agent}"
    if unknown := given.keys() - _KNOWN:
        raise BrokenFleet(f"{where}: there is no such key: {', '.join(sorted(unknown))}")
    if "workerKey" in given:
        held = given["workerKey"]
        identity = guest.key.source_computer_id if guest.key else ""
        guest.key = _worker_key(held, identity) if isinstance(held, dict) else None
    health = given.get("healthService", "Running")
    if health not in _AGENTS:
        raise BrokenFleet(f"{where}: healthService is none of {', '.join(sorted(_AGENTS))}: {health!r:.40}")
    guest.running = health == "Running"
    guest.agent_start = {"Disabled": "Disabled", "Absent": ""}.get(str(health), "Automatic")
    guest.needed_window = _length(where, "neededWindow", given.get("neededWindow"))
    guest.registers_after = _length(where, "registersAfter", given.get("registersAfter", "PT5M"))
    guest.clock_ahead = _length(where, "clockAhead", given.get("clockAhead")) or guest.clock_ahead
    if isinstance(numbers := given.get("installedUpdates"), list):
        guest.installed_updates = tuple(str(number) for number in numbers)
    if isinstance(said := given.get("diagnosis"), dict):
        guest.diagnosis = {code: text_at(said, code) for code in said}
    elif isinstance(said, str):
        guest.printed = said
    if isinstance(inside := given.get("windows"), dict):
        given_windows(where, guest.windows, inside)
    if isinstance(inside := given.get("linux"), dict):
        given_linux(where, guest.linux, inside, now)


def _worker_key(held: Document, identity: str) -> WorkerKey:
    return WorkerKey(
        source_computer_id=text_at(held, "SourceComputerId") or identity,
        user_group=text_at(held, "RunbookWorkerGroup"),
    )


def _length(where: str, name: str, text: Json) -> timedelta | None:
    value = parse_duration(text) if text is not None else None
    if text is not None and value is None:
        raise BrokenFleet(f"{where}: {name} is not an ISO 8601 duration: {text!r:.40}")
    return value
