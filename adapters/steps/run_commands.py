"""Managed run commands of one machine, whichever service it belongs to: both have them, each in its own words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from adapters.arm import Answer
from adapters.sdk import Hook, Right, document, documents, named, untyped
from adapters.steps.door import Door
from model.documents import Document
from model.facts import ARC_MACHINE_TYPE, VIRTUAL_MACHINE_TYPE
from model.resource_ids import ResourceId

if TYPE_CHECKING:
    from azure.mgmt.compute import ComputeManagementClient
    from azure.mgmt.hybridcompute import HybridComputeManagementClient


class RunCommands(Protocol):
    """What a step does to a machine. Everything raises as `adapters.sdk.asked` does, writes also `Refused`."""

    def machine(self) -> Document:
        """The machine with what is known of its state."""
        ...

    def get(self, name: str) -> Document:
        """A run command with its instance view."""
        ...

    def all(self) -> list[Document]:
        """The machine's run commands, with their instance views where Azure gives them."""
        ...

    def send(self, name: str, body: Document) -> Answer:
        """Begin to create a run command, and do not wait for it."""
        ...

    def remove(self, name: str) -> Answer:
        """Begin to delete a run command, and do not wait for it; a script that still runs is cancelled."""
        ...


def run_commands_of(door: Door, machine: ResourceId) -> RunCommands:
    """The run commands of an Azure VM or an Arc machine. Raises `ValueError` for anything else."""
    if machine.is_type(ARC_MACHINE_TYPE):
        return _OfArcMachine(door, machine)
    return _OfVirtualMachine(door, machine)


class _OfVirtualMachine:
    def __init__(self, door: Door, machine: ResourceId) -> None:
        self._door, self._id = door, named(machine.text, VIRTUAL_MACHINE_TYPE)
        self._at = (machine.resource_group, machine.name)

    @property
    def _client(self) -> ComputeManagementClient:
        return self._door.sdk.compute(self._id.subscription)

    def machine(self) -> Document:
        return document(
            _right(self._id, VIRTUAL_MACHINE_TYPE, "read"),
            lambda seen: self._client.virtual_machines.get(*self._at, expand="instanceView", raw_response_hook=seen),
        )

    def get(self, name: str) -> Document:
        # Left out unless it is asked for.
        def ask(seen: Hook) -> object:
            return self._client.virtual_machine_run_commands.get_by_virtual_machine(
                *self._at, name, expand="instanceView", raw_response_hook=seen
            )

        return document(_right(self._id, f"{VIRTUAL_MACHINE_TYPE}/runCommands", "read"), ask)

    def all(self) -> list[Document]:
        return documents(
            _right(self._id, f"{VIRTUAL_MACHINE_TYPE}/runCommands", "read"),
            lambda seen: self._client.virtual_machine_run_commands.list_by_virtual_machine(
                *self._at, expand="instanceView", raw_response_hook=seen
            ),
        )

    def send(self, name: str, body: Document) -> Answer:
        commands = self._client.virtual_machine_run_commands

        def create(seen: Hook) -> object:
            return commands.begin_create_or_update(
                *self._at, name, untyped(body), polling=False, raw_response_hook=seen
            )

        return self._door.write(_right(self._id, f"{VIRTUAL_MACHINE_TYPE}/runCommands", "write"), create)

    def remove(self, name: str) -> Answer:
        commands = self._client.virtual_machine_run_commands

        def delete(seen: Hook) -> object:
            return commands.begin_delete(*self._at, name, polling=False, raw_response_hook=seen)

        return self._door.write(_right(self._id, f"{VIRTUAL_MACHINE_TYPE}/runCommands", "delete"), delete)


class _OfArcMachine:
    def __init__(self, door: Door, machine: ResourceId) -> None:
        self._door, self._id = door, named(machine.text, ARC_MACHINE_TYPE)
        self._at = (machine.resource_group, machine.name)

    @property
    def _client(self) -> HybridComputeManagementClient:
        return self._door.sdk.hybrid_compute(self._id.subscription)

    def machine(self) -> Document:
        return document(
            _right(self._id, ARC_MACHINE_TYPE, "read"),
            lambda seen: self._client.machines.get(*self._at, raw_response_hook=seen),
        )

    def get(self, name: str) -> Document:
        # The instance view always comes along.
        return document(
            _right(self._id, f"{ARC_MACHINE_TYPE}/runCommands", "read"),
            lambda seen: self._client.machine_run_commands.get(*self._at, name, raw_response_hook=seen),
        )

    def all(self) -> list[Document]:
        return documents(
            _right(self._id, f"{ARC_MACHINE_TYPE}/runCommands", "read"),
            lambda seen: self._client.machine_run_commands.list(
                *self._at, expand="instanceView", raw_response_hook=seen
            ),
        )

    def send(self, name: str, body: Document) -> Answer:
        commands = self._client.machine_run_commands

        def create(seen: Hook) -> object:
            return commands.begin_create_or_update(
                *self._at, name, untyped(body), polling=False, raw_response_hook=seen
            )

        return self._door.write(_right(self._id, f"{ARC_MACHINE_TYPE}/runCommands", "write"), create)

    def remove(self, name: str) -> Answer:
        commands = self._client.machine_run_commands

        def delete(seen: Hook) -> object:
            return commands.begin_delete(*self._at, name, polling=False, raw_response_hook=seen)

        return self._door.write(_right(self._id, f"{ARC_MACHINE_TYPE}/runCommands", "delete"), delete)


def _right(machine: ResourceId, kind: str, verb: str) -> Right:
    return Right(action=f"{kind}/{verb}", scope=machine.text)
