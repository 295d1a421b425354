"""Starting an Azure VM."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from adapters.sdk import Hook, Right, document, named
from adapters.steps.door import Door, began, escaped, since
from engine.ports import StepDone, StepFailed, StepPending, StepProgress, StepStale, texts
from model.documents import Document, list_at, text_at
from model.facts import VIRTUAL_MACHINE_TYPE
from model.plans import StartMachine
from model.resource_ids import ResourceId

if TYPE_CHECKING:
    from azure.mgmt.compute.operations import VirtualMachinesOperations

LOOK_AGAIN: Final = timedelta(seconds=20)
LONGEST: Final = timedelta(minutes=30)


def begin(door: Door, step: StartMachine) -> StepProgress:
    """Start the machine, unless it runs or starts already."""
    machine = named(step.machine, VIRTUAL_MACHINE_TYPE)
    power = _power(door, machine)
    if power in {"running", "starting"}:
        return _look(door, power, began(door))
    if power != step.power_before.lower():
        return StepStale(field="power", planned=step.power_before, found=power)

    def start(seen: Hook) -> object:
        # Without a poller: whether it came up is read from the machine, also by whoever takes over.
        return _machines(door, machine).begin_start(
            machine.resource_group, machine.name, polling=False, raw_response_hook=seen
        )

    answer = door.write(Right(action=f"{VIRTUAL_MACHINE_TYPE}/start/action", scope=machine.text), start)
    return StepPending(look_again=LOOK_AGAIN, token=began(door, answer.request_id))


def check(door: Door, step: StartMachine, token: Document) -> StepProgress:
    """Look whether it runs."""
    return _look(door, _power(door, named(step.machine, VIRTUAL_MACHINE_TYPE)), token)


def _look(door: Door, power: str, token: Document) -> StepProgress:
    if power == "running":
        return StepDone(request_ids=texts(list_at(token, "requestIds")))
    if since(door, token) > LONGEST:
        return StepFailed(reason=f"the machine is {escaped(power) or 'of unknown power'} after more than 30 min")
    return StepPending(look_again=LOOK_AGAIN, token=token)


def _power(door: Door, machine: ResourceId) -> str:
    """`running`, `deallocated` …; empty where there is no instance view."""
    found = document(
        Right(action=f"{VIRTUAL_MACHINE_TYPE}/read", scope=machine.text),
        lambda seen: _machines(door, machine).get(
            machine.resource_group, machine.name, expand="instanceView", raw_response_hook=seen
        ),
    )
    for status in list_at(found, "properties.instanceView.statuses"):
        if isinstance(status, dict):
            kind, _, value = text_at(status, "code").lower().partition("/")
            if kind == "powerstate":
                return value
    return ""


def _machines(door: Door, machine: ResourceId) -> VirtualMachinesOperations:
    return door.sdk.compute(machine.subscription).virtual_machines
