"""Run Command, both kinds, on Azure VMs and Arc machines.

A script takes simulated time; where time stands still, looking at it counts instead: the first look finds it running,
the next finds it finished. Its effects on the guest happen when it begins.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from model.documents import Document, Json, list_at, text_at
from simulator.clock import Clock
from simulator.faults import Faults, Kind
from simulator.machines import Machines
from simulator.options import Options
from simulator.outcomes import ScriptResult
from simulator.web import Call, Refused
from simulator.wire import time_out

MOST_COMMANDS: Final = 25
MOST_OUTPUT: Final = 4096
_TAKES: Final = timedelta(seconds=20)
_DEFAULT_TIME_OUT: Final = timedelta(minutes=90)


@dataclass(slots=True, kw_only=True)
class Execution:
    """A script in a guest."""

    started: datetime
    result: ScriptResult | None
    """None where it never ends by itself."""
    time_out: timedelta
    looks: int = 0

    def ended(self, clock: Clock, options: Options) -> datetime | None:
        """When it ended, or None where it is running still."""
        if self.result is None:
            due = self.started + self.time_out
            return due if clock.now >= due else None
        due = self.started + _TAKES
        return due if clock.now >= due or self.looks > options.looks else None


@dataclass(slots=True, kw_only=True)
class ManagedCommand:
    document: Document
    execution: Execution
    asynchronous: bool


class RunCommands:
    """Run commands of all machines."""

    def __init__(self, machines: Machines, faults: Faults, clock: Clock, options: Options) -> None:
        self.machines, self.faults, self.clock, self.options = machines, faults, clock, options
        self._managed: dict[str, dict[str, ManagedCommand]] = {}
        self._action: dict[str, Execution] = {}

    def put(self, call: Call, machine: Document, command_type: str, name: str, body: Document) -> ManagedCommand:
        """Create or update a managed run command. The same script under the same name does not run again."""
        agent = str(machine["id"]).lower()
        commands = self._managed.setdefault(agent, {})
        source = body.get("properties")
        properties: Document = dict(source) if isinstance(source, dict) else {}
        properties.pop("protectedParameters", None)
        properties.pop("instanceView", None)
        existing = commands.get(name.lower())
        if existing and _same_script(existing.document, properties):
            return existing
        if existing is None and len(commands) >= MOST_COMMANDS:
            raise Refused(
                409,
                "OperationNotAllowed",
                f"The machine has {len(commands)} run command resources; no more than {MOST_COMMANDS} are allowed.",
            )
        self._check_reachable(machine)
        script = text_at(properties, "source.script")
        if not script:
            raise Refused(400, "InvalidParameter", "Required parameter 'source.script' is missing (null).")
        seconds = properties.get("timeoutInSeconds")
        time_out = timedelta(seconds=seconds) if isinstance(seconds, int) and seconds > 0 else _DEFAULT_TIME_OUT
        document: Document = {
            "id": f"{machine['id']}/runCommands/{name}",
            "name": name,
            "type": command_type,
            "location": body.get("location") or machine.get("location"),
            "tags": body.get("tags"),
            "properties": properties,
        }
        execution = self._execute(call, agent, script, _parameters(body), time_out)
        command = ManagedCommand(
            document={key: value for key, value in document.items() if value is not None},
            execution=execution,
            asynchronous=properties.get("asyncExecution") is True,
        )
        commands[name.lower()] = command
        return command

    def get(self, machine: Document, name: str) -> ManagedCommand | None:
        return self._managed.get(str(machine["id"]).lower(), {}).get(name.lower())

    def list(self, machine: Document) -> list[ManagedCommand]:
        return list(self._managed.get(str(machine["id"]).lower(), {}).values())

    def delete(self, machine: Document, name: str) -> bool:
        """Remove the resource; a script that runs still is cancelled. False where there is none."""
        return self._managed.get(str(machine["id"]).lower(), {}).pop(name.lower(), None) is not None

    def act(self, call: Call, machine: Document, body: Document) -> Execution:
        """The action Run Command: one at a time on a machine."""
        agent = str(machine["id"]).lower()
        running = self._action.get(agent)
        if running and running.ended(self.clock, self.options) is None:
            raise Refused(
                409,
                "Conflict",
                "Run command extension execution is in progress. Please wait for completion before invoking a run "
                "command.",
            )
        self._check_reachable(machine)
        script = "\n".join(str(line) for line in list_at(body, "script"))
        if not text_at(body, "commandId"):
            raise Refused(400, "InvalidParameter", "Required parameter 'commandId' is missing (null).")
        self._action[agent] = self._execute(call, agent, script, _parameters(body), _DEFAULT_TIME_OUT)
        return self._action[agent]

    def state(self, execution: Execution) -> str:
        """`Running`, `Succeeded`, `Failed` or `TimedOut`."""
        if execution.ended(self.clock, self.options) is None:
            return "Running"
        if execution.result is None:
            return "TimedOut"
        return "Succeeded" if execution.result.exit_code == 0 else "Failed"

    def instance_view(self, execution: Execution) -> Document:
        ended = execution.ended(self.clock, self.options)
        result = execution.result if ended else None
        return {
            "executionState": self.state(execution),
            "executionMessage": "Execution completed" if ended else "Execution in progress",
            "exitCode": result.exit_code if result else 0,
            "output": last_bytes(result.stdout) if result else "",
            "error": last_bytes(result.stderr) if result else "",
            "startTime": time_out(execution.started),
            **({"endTime": time_out(ended)} if ended else {}),
            "statuses": [],
        }

    def _execute(
        self, call: Call, agent: str, script: str, parameters: Mapping[str, str], time_out: timedelta
    ) -> Execution:
        fault = self.faults.script(call.method, call.target, script)
        result: ScriptResult | None
        if (fault and fault.kind is Kind.SCRIPT_HANGS) or not self.machines.is_ready(agent):
            result = None
        elif fault:
            result = ScriptResult(exit_code=fault.exit_code, stderr=fault.stderr)
        else:
            result = self.machines.run_script(agent, script, parameters)
        return Execution(started=self.clock.now, result=result, time_out=time_out)

    def _check_reachable(self, machine: Document) -> None:
        if not self.machines.is_reachable(str(machine["id"])):
            raise Refused(
                409,
                "OperationNotAllowed",
                "Cannot modify extensions in the VM when the VM is not running.",
            )


def last_bytes(text: str) -> str:
    """The last 4,096 bytes, which is all that Run Command returns."""
    return text.encode()[-MOST_OUTPUT:].decode("utf-8", "ignore")


def _same_script(document: Document, properties: Document) -> bool:
    before = document.get("properties")
    held = before if isinstance(before, dict) else {}
    return all(held.get(key) == properties.get(key) for key in ("source", "parameters"))


def _parameters(body: Document) -> dict[str, str]:
    """Named parameters by lower-case name, of a managed command or of the action."""
    given: list[Json] = []
    for path in ("properties.parameters", "properties.protectedParameters", "parameters"):
        given += list_at(body, path)
    return {text_at(item, "name").lower(): text_at(item, "value") for item in given if isinstance(item, dict)}
