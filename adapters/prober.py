"""The diagnosis goes into machines, and nothing else: managed run commands under names of their own."""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Callable
from typing import Final

from adapters.arm import Arm
from adapters.clients import CLOUDS, Clients
from adapters.sdk import Rejected, Sdk
from adapters.steps.door import Door, Refused, escaped
from adapters.steps.run_commands import RunCommands, run_commands_of
from adapters.steps.scripts import RUNNING, script_text, unfit_for_a_script
from engine.ports import (
    AzureUnavailable,
    Clock,
    NotFound,
    PermissionMissing,
    ProbeAnswered,
    ProbeFailed,
    ProbePending,
    ProbeProgress,
    RequestCount,
    StepFailed,
    WriteForbidden,
)
from model.documents import Document, Json, text_at
from model.facts import Machine
from model.resource_ids import ResourceId

TIME_OUT: Final = 600
"""Seconds. A machine from which nothing can be reached takes some minutes to say so."""
_SCRIPTS: Final = {"windows": "windows/diagnose.ps1", "linux": "linux/diagnose.sh"}


_NAMED: Final = "patchwright-probe-"


def diagnoses() -> frozenset[str]:
    """The texts of the two scripts."""
    return frozenset(map(script_text, _SCRIPTS.values()))


class AzureProber:
    """The `Prober` of Azure, or of a simulated one."""

    def __init__(self, clients_factory: Callable[[], Clients], clock: Clock, cloud: str, account: str) -> None:
        """`clients_factory` makes clients that let nothing but the diagnosis out; called at the first probe.

        `account` is the Automation account's resource id: machines speak to hosts of its region.
        """
        self._factory = clients_factory
        self._clock = clock
        # The simulated Azure's machines are those of the public cloud.
        self._cloud = cloud if cloud in CLOUDS else "public"
        self._account = account
        self._opening = threading.Lock()
        self._door: Door | None = None
        self._region = ""

    @property
    def requests(self) -> RequestCount:
        return self._door.requests if self._door else RequestCount()

    def begin(self, machine: Machine, name: str) -> ProbeProgress:
        """See `Prober.begin`."""
        return self._asked(machine.arm_id, lambda commands: self._send(commands, machine, name))

    def check(self, machine: str, name: str, *, last: bool = False) -> ProbeProgress:
        """See `Prober.check`."""
        return self._asked(machine, lambda commands: _look(commands, name, last=last))

    def _send(self, commands: RunCommands, machine: Machine, name: str) -> ProbeProgress:
        try:
            commands.get(name)
        except NotFound:
            pass
        else:
            return ProbePending()
        unfit = unfit_for_a_script(commands, machine.arm_id, is_arc=machine.is_arc)
        if unfit is not None:
            return ProbeFailed(reason=unfit.reason if isinstance(unfit, StepFailed) else "the machine is gone")
        # Without a region the script leaves out what only that tells; an empty value would be none at all.
        told = {"Cloud": self._cloud} | ({"Location": self._region} if self._region else {})
        parameters: list[Json] = [{"name": key, "value": value} for key, value in told.items()]
        body: Document = {
            "location": machine.location,
            "properties": {
                "source": {"script": script_text(_SCRIPTS[machine.os.lower()])},
                "parameters": parameters,
                "asyncExecution": True,
                "timeoutInSeconds": TIME_OUT,
            },
        }
        for rest in commands.all():
            _clear(commands, rest)
        commands.send(name, body)
        return ProbePending()

    def _asked(self, machine: str, ask: Callable[[RunCommands], ProbeProgress]) -> ProbeProgress:
        """Ask, and turn every way in which Azure can fail into an answer that will not come."""
        try:
            return ask(run_commands_of(self._opened(), ResourceId.parse(machine)))
        except NotFound:
            return ProbeFailed(reason="the diagnosis is gone, and with it what it said")
        except (AzureUnavailable, PermissionMissing, Rejected, Refused, WriteForbidden, ValueError) as error:
            return ProbeFailed(reason=escaped(str(error)))

    def _opened(self) -> Door:
        with self._opening:
            if self._door is None:
                clients = self._factory()
                self._region = _region_of(Arm(clients), self._account)
                self._door = Door(
                    sdk=Sdk(clients), requests=clients.requests, clock=self._clock, may_write=lambda: None
                )
            return self._door


def _region_of(arm: Arm, account: str) -> str:
    """The account's region as Azure's names of hosts have it; empty where it cannot be read."""
    try:
        region = text_at(arm.get(account), "location").replace(" ", "").lower()
    except (AzureUnavailable, PermissionMissing, NotFound):
        return ""
    return region if re.fullmatch("[a-z0-9]{1,30}", region) else ""


def _look(commands: RunCommands, name: str, *, last: bool) -> ProbeProgress:
    """What the script printed; after that nothing of it is left on the machine."""
    view, command = "properties.instanceView", commands.get(name)
    state = text_at(command, f"{view}.executionState").lower()
    if state in {"", "unknown", *RUNNING}:
        answer: ProbeProgress = ProbePending()
        if text_at(command, "properties.provisioningState").lower() == "failed":
            why = f"Run Command failed: {escaped(text_at(command, f'{view}.executionMessage'))}"
            answer = ProbeFailed(reason=why)
        elif not last:
            return answer
    elif state == "succeeded" and (said := text_at(command, f"{view}.output")):
        answer = ProbeAnswered(text=said)
    else:
        answer = ProbeFailed(reason=f"the diagnosis {state}: {escaped(text_at(command, f'{view}.error'))}")
    _remove(commands, name)
    return answer


def _clear(commands: RunCommands, rest: Document) -> None:
    """Take away what an earlier diagnosis left behind: a machine holds no more than 25 run commands."""
    name = text_at(rest, "name")
    if name.startswith(_NAMED):
        _remove(commands, name)


def _remove(commands: RunCommands, name: str) -> None:
    """Where it cannot be taken away it stays behind, until the next diagnosis of this machine."""
    with contextlib.suppress(NotFound, AzureUnavailable, PermissionMissing, Rejected, Refused):
        commands.remove(name)
