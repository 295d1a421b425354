"""Managed Run Command: one of our scripts, sent once under a name that its step gives it."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Final

from adapters.sdk import Rejected
from adapters.steps.door import Door, Refused, began, escaped, since
from adapters.steps.run_commands import RunCommands, run_commands_of
from engine.ports import (
    AzureUnavailable,
    NotFound,
    PermissionMissing,
    StepDone,
    StepFailed,
    StepPending,
    StepProgress,
    StepStale,
    texts,
)
from model.documents import Document, Json, at, list_at, text_at
from model.facts import ARC_MACHINE_TYPE, VIRTUAL_MACHINE_TYPE
from model.plans import RunScript, run_command_name
from model.resource_ids import ResourceId
from model.secrets import none_in

LOOK_AGAIN: Final = timedelta(seconds=10)
"""Azure allows twelve looks a minute at one machine, and others look too."""
GRACE: Final = timedelta(minutes=10)
"""How long after its time-out a script may still be reported as running."""
MOST_COMMANDS: Final = 25
SCRIPTS: Final = Path(__file__).parents[2] / "remediations" / "scripts"
MARK: Final = "patchwright-outcome:"

_TOO_LONG: Final[Document] = {"reason": "the script did not end within its time; it was cancelled"}
RUNNING: Final = frozenset({"running", "pending"})
_MOVING: Final = frozenset({"creating", "updating", "deleting"})
_PASSED_ON_UNCHANGED: Final = re.compile(r"[A-Za-z0-9 _.,:=+/@\\-]*", re.ASCII)
"""What a parameter may hold: the agents hand parameters to a shell, where anything else could mean more than itself.

On Windows a script is called with `-name value`; on Linux named parameters are variables of its environment ("Run
scripts in your Linux VM by using managed Run Commands"; so does Azure/run-command-handler-linux, which sets no variable
for an empty value).
"""


def begin(door: Door, step: RunScript, step_id: str) -> StepProgress:
    """Send the script, unless it has been sent under this step's name already."""
    machine = ResourceId.parse(step.machine)
    is_arc = machine.is_type(ARC_MACHINE_TYPE)
    if not is_arc and not machine.is_type(VIRTUAL_MACHINE_TYPE):
        return StepFailed(reason=f"{escaped(step.machine)} is not a machine")
    bad = [name for name, value in step.parameters.items() if not _PASSED_ON_UNCHANGED.fullmatch(value)]
    if bad:
        return StepFailed(reason=f"parameter {escaped(bad[0])} holds what Run Command does not pass on unchanged")
    commands, name = run_commands_of(door, machine), run_command_name(step_id)
    try:
        commands.get(name)
    except NotFound:
        pass
    else:
        return StepPending(look_again=LOOK_AGAIN, token=began(door))
    unfit = unfit_for_a_script(commands, step.machine, is_arc=is_arc)
    if unfit is not None:
        return unfit
    body: Document = {
        "location": step.location,
        "properties": {
            "source": {"script": script_text(step.script)},
            "parameters": [{"name": name, "value": value} for name, value in step.parameters.items()],
            "asyncExecution": True,
            "timeoutInSeconds": int(step.time_out.total_seconds()),
        },
    }
    answer = commands.send(name, body)
    return StepPending(look_again=LOOK_AGAIN, token=began(door, answer.request_id))


def check(door: Door, step: RunScript, step_id: str, token: Document) -> StepProgress:
    """Look at the script's outcome; once it is in the token, and so recorded, remove the run command.

    In that order, because a begin that finds no run command sends the script.
    """
    commands, name = run_commands_of(door, ResourceId.parse(step.machine)), run_command_name(step_id)
    ended = token.get("ended")
    if isinstance(ended, dict):
        removed, left_behind = _remove(commands, name)
        return _finish(ended, left_behind, (*texts(list_at(token, "requestIds")), *removed))
    try:
        command = commands.get(name)
    except NotFound:
        return StepFailed(reason="the run command is gone, and with it what the script did")
    outcome: Document | None = _ended(command)
    if outcome is None and since(door, token) > step.time_out + GRACE:
        outcome = _TOO_LONG
    if outcome is None:
        return StepPending(look_again=LOOK_AGAIN, token=token)
    noted: Document = {**token, "ended": outcome}
    return StepPending(look_again=timedelta(0), token=noted)


def script_text(script: str) -> str:
    """The script as it is in the package. Raises `ValueError` for anything else than one of our scripts."""
    file = (SCRIPTS / script).resolve()
    if not file.is_relative_to(SCRIPTS.resolve()) or not file.is_file():
        raise ValueError(f"there is no script {script[:100]!r}")
    text = file.read_text(encoding="utf-8")
    if f"# patchwright-script: {file.stem}\n" not in text:
        raise ValueError(f"{script} does not say its own name")
    return text


def unfit_for_a_script(run_commands: RunCommands, id_: str, *, is_arc: bool) -> StepFailed | StepStale | None:
    """Why the machine cannot take a script now."""
    try:
        machine = run_commands.machine()
    except NotFound:
        return StepStale(field="machine", planned=id_, found=None)
    if is_arc:
        status = text_at(machine, "properties.status")
        if status.lower() != "connected":
            return StepFailed(reason=f"the machine is {escaped(status) or 'of unknown status'}, not connected")
    else:
        view = "properties.instanceView"
        if "powerstate/running" not in _codes(machine, f"{view}.statuses"):
            return StepFailed(reason="the machine is not running")
        if "provisioningstate/succeeded" not in _codes(machine, f"{view}.vmAgent.statuses"):
            return StepFailed(reason="the machine's guest agent is not ready")
    commands = run_commands.all()
    if len(commands) >= MOST_COMMANDS:
        return StepFailed(reason=f"the machine holds {len(commands)} run commands, and no more are allowed", retry=True)
    if busy := next((command for command in commands if _is_busy(_seen(run_commands, command))), None):
        return StepFailed(reason=f"the run command {escaped(text_at(busy, 'name'))} is under way", retry=True)
    return None


def _codes(document: Document, path: str) -> set[str]:
    return {text_at(status, "code").lower() for status in list_at(document, path) if isinstance(status, dict)}


def _seen(run_commands: RunCommands, command: Document) -> Document:
    """The run command with its instance view, which a list may leave out."""
    if at(command, "properties.instanceView") is not None:
        return command
    name = text_at(command, "name")
    if not name:
        return command
    try:
        return run_commands.get(name)
    except NotFound:
        return command


def _is_busy(command: Document) -> bool:
    state = text_at(command, "properties.instanceView.executionState").lower()
    return state in RUNNING or text_at(command, "properties.provisioningState").lower() in _MOVING


def _ended(command: Document) -> Document | None:
    """How the script ended: `reason` where it did not do what it should, else `result`. None while it runs."""
    view = "properties.instanceView"
    state, exit_code = text_at(command, f"{view}.executionState").lower(), at(command, f"{view}.exitCode")
    if state in {"", "unknown", *RUNNING}:
        if text_at(command, "properties.provisioningState").lower() != "failed":
            return None
        return {"reason": f"Run Command failed: {escaped(text_at(command, f'{view}.executionMessage'))}"}
    outcome = _outcome(text_at(command, f"{view}.output"))
    result: Document = {"exitCode": exit_code, **(outcome or {})}
    said = escaped(text_at(result, "reason") or text_at(command, f"{view}.error"))
    if text_at(result, "outcome") == "refused":
        return {"reason": f"the script refused: {said}", "result": result}
    if state != "succeeded" or exit_code != 0:
        return {"reason": f"the script ended {state} with exit code {exit_code!r:.20}: {said}", "result": result}
    if outcome is None:
        return {"reason": "the script ended without saying what it did", "result": result}
    return {"result": result}


def _outcome(output: str) -> Document | None:
    """The last line of the output, where it is whole: Azure keeps the last 4 KB, so that a cut line lacks its mark."""
    last = output.rstrip().rsplit("\n", 1)[-1].strip()
    if not last.startswith(MARK):
        return None
    try:
        outcome: Json = json.loads(last.removeprefix(MARK))
    except (ValueError, RecursionError):
        return None
    return none_in(outcome) if isinstance(outcome, dict) else None


def _remove(commands: RunCommands, name: str) -> tuple[tuple[str, ...], str]:
    """Remove the run command. Answers the id that Azure gave the request; or in words why it is still there."""
    try:
        answer = commands.remove(name)
    except NotFound:
        return (), ""
    except (Refused, AzureUnavailable, PermissionMissing, Rejected) as error:
        return (), escaped(str(error))
    return (answer.request_id,) if answer.request_id else (), ""


def _finish(ended: Document, left_behind: str, request_ids: tuple[str, ...]) -> StepProgress:
    result = ended.get("result")
    document: Document = dict(result) if isinstance(result, dict) else {}
    if left_behind:
        document["runCommandLeftBehind"] = left_behind
    if reason := text_at(ended, "reason"):
        return StepFailed(reason=reason, result=document, request_ids=request_ids)
    return StepDone(result=document, request_ids=request_ids)
