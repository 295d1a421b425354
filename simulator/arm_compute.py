"""Microsoft.Compute and Microsoft.HybridCompute: machines, their power, and Run Command."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Final
from urllib.parse import urlencode

from model.documents import Document, Json
from model.facts import VIRTUAL_MACHINE_TYPE
from simulator.estate import Estate
from simulator.machines import os_of
from simulator.operations import Operation
from simulator.run_commands import Execution, ManagedCommand, last_bytes
from simulator.web import Answer, Call, Refused, Router
from simulator.wire import time_out

_GROUP: Final = "/subscriptions/{subscription}/resourceGroups/{group}/providers"
VM: Final = f"{_GROUP}/Microsoft.Compute/virtualMachines/{{machine}}"
ARC: Final = f"{_GROUP}/Microsoft.HybridCompute/machines/{{machine}}"
_POWER_AFTER: Final = {"start": "running", "restart": "running", "powerOff": "stopped", "deallocate": "deallocated"}


class Compute:
    def __init__(self, estate: Estate) -> None:
        self.estate, self.commands, self.options = estate, estate.run_commands, estate.options

    def routes(self, router: Router) -> None:
        router.add("GET", VM, self.get_vm)
        router.add("GET", f"{VM}/instanceView", self.instance_view)
        for scope in ("/subscriptions/{subscription}", "/subscriptions/{subscription}/resourceGroups/{group}"):
            router.add("GET", f"{scope}/providers/Microsoft.Compute/virtualMachines", self.list_vms)
            router.add("GET", f"{scope}/providers/Microsoft.HybridCompute/machines", self.list_arc)
        router.add("POST", f"{VM}/runCommand", self.run_command)
        for action in _POWER_AFTER:
            router.add("POST", f"{VM}/{action}", self.power_action(action))
        router.add("GET", ARC, self.get_arc)
        for machine in (VM, ARC):
            router.add("GET", f"{machine}/runCommands", self.list_commands)
            router.add("GET", f"{machine}/runCommands/{{name}}", self.get_command)
            router.add("PUT", f"{machine}/runCommands/{{name}}", self.put_command)
            router.add("DELETE", f"{machine}/runCommands/{{name}}", self.delete_command)
        for namespace in ("Microsoft.Compute", "Microsoft.HybridCompute"):
            place = f"/subscriptions/{{subscription}}/providers/{namespace}/locations/{{location}}"
            router.add("GET", f"{place}/operations/{{operation}}", self.operation)
            router.add("GET", f"{place}/operationResults/{{operation}}", self.operation_result)

    def get_vm(self, call: Call, _: Mapping[str, str]) -> Answer:
        document = self._machine(call.path)
        expanded = "instanceview" in call.query.get("$expand", "").lower()
        return Answer(body=document if expanded else _without_view(document))

    def instance_view(self, call: Call, _: Mapping[str, str]) -> Answer:
        properties = self._machine(call.path.rpartition("/")[0]).get("properties")
        return Answer(body=properties.get("instanceView", {}) if isinstance(properties, dict) else {})

    def list_vms(self, call: Call, names: Mapping[str, str]) -> Answer:
        status_only = call.query.get("statusonly", "").lower() == "true"
        machines = self._within(names, VIRTUAL_MACHINE_TYPE)
        return self._page(call, machines if status_only else [_without_view(machine) for machine in machines])

    def list_arc(self, call: Call, names: Mapping[str, str]) -> Answer:
        return self._page(call, self._within(names, "Microsoft.HybridCompute/machines"))

    def get_arc(self, call: Call, _: Mapping[str, str]) -> Answer:
        return Answer(body=self._machine(call.path))

    def power_action(self, action: str) -> Callable[[Call, Mapping[str, str]], Answer]:
        def act(call: Call, _: Mapping[str, str]) -> Answer:
            machine = self._machine(call.path.rpartition("/")[0])
            self.estate.machines.set_power(machine, _POWER_AFTER[action])
            return self._begun(call, machine, self._at_once(), _nothing)

        return act

    def run_command(self, call: Call, _: Mapping[str, str]) -> Answer:
        """The action: one script at a time; the exit code is not reported."""
        machine = self._machine(call.path.rpartition("/")[0])
        execution = self.commands.act(call, machine, call.json())
        windows = os_of(machine) != "Linux"
        return self._begun(call, machine, execution, lambda: _action_result(execution, windows=windows))

    def list_commands(self, call: Call, _: Mapping[str, str]) -> Answer:
        machine = self._machine(call.path.rpartition("/")[0])
        commands, asked = self.commands.list(machine), "instanceview" in call.query.get("$expand", "").lower()
        for command in commands:
            command.execution.looks += asked
        return self._page(call, [self._command_body(command, view=asked) for command in commands])

    def get_command(self, call: Call, names: Mapping[str, str]) -> Answer:
        machine = self._machine(call.path.rsplit("/", 2)[0])
        command = self.commands.get(machine, names["name"])
        if command is None:
            raise _missing(call.path)
        # Arc always answers with the instance view, Azure VMs only when asked.
        asked = "instanceview" in call.query.get("$expand", "").lower() or _is_arc(call.path)
        command.execution.looks += asked
        return Answer(body=self._command_body(command, view=asked))

    def put_command(self, call: Call, names: Mapping[str, str]) -> Answer:
        machine = self._machine(call.path.rsplit("/", 2)[0])
        known = self.commands.get(machine, names["name"])
        command = self.commands.put(call, machine, _command_type(call.path), names["name"], call.json())
        # Where it is asynchronous the operation is over when the script has begun: its end is in the instance view.
        begun = self._at_once() if command.asynchronous else command.execution
        answer = self._begun(call, machine, begun, lambda: self._command_body(command, view=False))
        body = self._command_body(command, view=False)
        # The result of a PUT is the resource itself: no Location, the client gets what it put.
        headers = {name: value for name, value in answer.headers.items() if name != "Location"}
        return Answer(status=200 if known else 201, body=body, headers=headers)

    def delete_command(self, call: Call, names: Mapping[str, str]) -> Answer:
        machine = self._machine(call.path.rsplit("/", 2)[0])
        if not self.commands.delete(machine, names["name"]):
            return Answer(status=204)
        return self._begun(call, machine, self._at_once(), _nothing)

    def operation(self, _: Call, names: Mapping[str, str]) -> Answer:
        found = self.estate.operations.get(names["operation"])
        if found is None:
            raise Refused(404, "NotFound", f"The operation {names['operation']} was not found.")
        body = found.status()
        running = body["status"] == "InProgress"
        return Answer(body=body, headers=self._retry() if running else {})

    def operation_result(self, call: Call, names: Mapping[str, str]) -> Answer:
        found = self.estate.operations.get(names["operation"])
        if found is None:
            raise Refused(404, "NotFound", f"The operation {names['operation']} was not found.")
        if found.status()["status"] == "InProgress":
            return Answer(status=202, headers={"Location": f"{call.base}{call.target}", **self._retry()})
        body = found.result()
        return Answer(status=200 if body is not None else 204, body=body)

    def _at_once(self) -> Execution:
        """An operation that is over at the first look."""
        return Execution(started=self.estate.now, result=None, time_out=timedelta())

    def _begun(self, call: Call, machine: Document, execution: Execution, result: Callable[[], Json]) -> Answer:
        """202, and where to look: `Azure-AsyncOperation` for the state, `Location` for the result."""
        clock, options = self.estate.clock, self.options

        def status() -> Document:
            execution.looks += 1
            ended = execution.ended(clock, options)
            body: Document = {
                "name": operation.id,
                "startTime": time_out(execution.started),
                "status": "Succeeded" if ended else "InProgress",
            }
            return body | ({"endTime": time_out(ended)} if ended else {})

        operation: Operation = self.estate.operations.begin(status, result)
        return Answer(status=202, headers=self._places(call, machine, operation))

    def _places(self, call: Call, machine: Document, operation: Operation) -> dict[str, str]:
        machine_id = str(machine["id"]).split("/")
        place = (
            f"{call.base}/subscriptions/{machine_id[2]}/providers/{machine_id[6]}/locations/{machine.get('location')}"
        )
        version = urlencode({"api-version": call.query["api-version"]})
        return {
            "Azure-AsyncOperation": f"{place}/operations/{operation.id}?{version}",
            "Location": f"{place}/operationResults/{operation.id}?{version}",
            **self._retry(),
        }

    def _retry(self) -> dict[str, str]:
        return {"Retry-After": str(self.options.retry_after)} if self.options.retry_after else {}

    def _command_body(self, command: ManagedCommand, *, view: bool) -> Document:
        execution = command.execution
        ended = execution.ended(self.estate.clock, self.options)
        properties = dict(command.document["properties"]) if isinstance(command.document["properties"], dict) else {}
        done = ended is not None or command.asynchronous
        properties["provisioningState"] = self._provisioning(command) if done else "Creating"
        properties["parameters"] = properties.get("parameters") or []
        if view:
            properties["instanceView"] = self.commands.instance_view(execution)
        return {**command.document, "properties": properties}

    def _provisioning(self, command: ManagedCommand) -> str:
        properties = command.document["properties"]
        strict = isinstance(properties, dict) and properties.get("treatFailureAsDeploymentFailure") is True
        failed = self.commands.state(command.execution) in {"Failed", "TimedOut"}
        return "Failed" if strict and failed else "Succeeded"

    def _machine(self, resource_id: str) -> Document:
        document = self.estate.machines.document(resource_id)
        if document is None:
            raise _missing(resource_id)
        return document

    def _within(self, names: Mapping[str, str], kind: str) -> list[Document]:
        scope = f"/subscriptions/{names['subscription']}/"
        scope += f"resourceGroups/{names['group']}/" if "group" in names else ""
        return [m for m in self.estate.resources.of_type(kind) if str(m["id"]).lower().startswith(scope.lower())]

    def _page(self, call: Call, items: list[Document]) -> Answer:
        skip, size = call.number("$skiptoken", 0), self.options.page_size
        body: Document = {"value": list(items[skip : skip + size])}
        if skip + size < len(items):
            body["nextLink"] = f"{call.base}{call.path}?{urlencode({**call.query, '$skiptoken': str(skip + size)})}"
        return Answer(body=body)


def _nothing() -> Json:
    return None


def _without_view(document: Document) -> Document:
    properties = document.get("properties")
    shown = {k: v for k, v in properties.items() if k != "instanceView"} if isinstance(properties, dict) else properties
    return {**document, "properties": shown}


def _is_arc(path: str) -> bool:
    return "/microsoft.hybridcompute/" in path.lower()


def _command_type(path: str) -> str:
    return "Microsoft.HybridCompute/machines/runCommands" if _is_arc(path) else f"{VIRTUAL_MACHINE_TYPE}/runCommands"


def _missing(resource_id: str) -> Refused:
    parts = resource_id.split("/")
    kind = "/".join([*parts[6:8], *parts[9::2]]) if len(parts) > 8 else resource_id
    group = parts[4] if len(parts) > 4 else ""
    return Refused(
        404,
        "ResourceNotFound",
        f"The Resource '{kind}/{parts[-1]}' under resource group '{group}' was not found. For more details please go "
        "to https://aka.ms/ARMResourceNotFoundFix",
    )


def _action_result(execution: Execution, *, windows: bool) -> Json:
    result = execution.result
    output, error = (last_bytes(result.stdout), last_bytes(result.stderr)) if result else ("", "")
    if windows:
        return {
            "value": [
                _status("ComponentStatus/StdOut/succeeded", output),
                _status("ComponentStatus/StdErr/succeeded", error),
            ]
        }
    message = f"Enable succeeded: \n[stdout]\n{output}\n[stderr]\n{error}"
    return {"value": [_status("ProvisioningState/succeeded", message)]}


def _status(code: str, message: str) -> Document:
    return {"code": code, "level": "Info", "displayStatus": "Provisioning succeeded", "message": message}
