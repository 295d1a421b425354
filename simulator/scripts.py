"""What our scripts do inside a simulated guest.

A script is recognised by its header line `# patchwright-script: <name>`; its text is not executed. Any other script
fails, because a guest that pretended to have run it would prove nothing. Like the real scripts, each ends with one
line `patchwright-outcome: {json}`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from model.diagnosis import RULES, OperatingSystem, checksum
from model.documents import Document
from model.facts import ARC_MACHINE_TYPE
from simulator.guests import Guest, sha256_of

_HEADER: Final = re.compile(r"^\s*#\s*patchwright-script:\s*(\S+)\s*$", re.MULTILINE)
_STEP_ID: Final = re.compile(r"[0-9a-f]{16}", re.ASCII)
_SHA256: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)
MARKER: Final = "patchwright-outcome: "
FOLDER: Final = "C:\\ProgramData\\Patchwright\\"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptResult:
    exit_code: int
    stdout: str = ""
    stderr: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Effects:
    """What a script can set going beyond the guest's own state."""

    restarted: Callable[[Guest], None]
    """HealthService was restarted: the agent looks at the key anew."""


type Behaviour = Callable[[Guest, Mapping[str, str], Effects], ScriptResult]


def run_script(text: str, guest: Guest, parameters: Mapping[str, str], effects: Effects) -> ScriptResult:
    """Run one of our scripts; `parameters` by lower-case name."""
    found = _HEADER.search(text)
    behaviour = SCRIPTS.get(found[1].lower()) if found else None
    if found and found[1].lower() == "diagnose":
        return ScriptResult(exit_code=0, stdout=diagnosis_of(guest))
    if behaviour is None:
        name = f"'{found[1]}'" if found else "without a patchwright-script header"
        return ScriptResult(exit_code=1, stderr=f"the simulated guest cannot run a script {name}")
    if guest.os.lower() != "windows" and behaviour not in _ON_LINUX_TOO:
        return ScriptResult(exit_code=1, stderr="the simulated guest is not a Windows machine")
    return behaviour(guest, parameters, effects)


def diagnosis_of(guest: Guest) -> str:
    """What the diagnosis prints in this guest: what its state shows, what the fleet says, and `P` for the rest."""
    os = OperatingSystem(guest.os.lower())
    arc = ARC_MACHINE_TYPE.lower() in guest.agent
    said = {rule.code: "P" for rule in RULES.of(os)}
    foreign = {"ims", "gua", "rda", "wir", "pex", "dmi"} if arc else {"arc", "ars", "arx", "are"}
    said |= dict.fromkeys(foreign & said.keys(), "N")
    match os:
        case OperatingSystem.WINDOWS:
            said |= {"hs": "P" if guest.running else "F:stopped", "key": "P:1" if guest.key else "F:missing"}
        case OperatingSystem.LINUX:
            said |= {"os": "I:ubuntu-20.04", "omr": "P" if guest.running else "F:stopped"}
    said |= {code: text for code, text in guest.diagnosis.items() if code in said}
    lines = "".join(f"{code}:{text}\n" for code, text in said.items())
    return f"patchwright-diagnosis 1 {os.value}\n{lines}patchwright-end {len(said)} {checksum(lines)}\n"


def _says(exit_code: int, outcome: str, **fields: str | bool) -> ScriptResult:
    body: Document = {"outcome": outcome, **fields}
    return ScriptResult(exit_code=exit_code, stdout=f"{MARKER}{json.dumps(body, separators=(',', ':'))}\n")


def _invalid(parameter: str) -> ScriptResult:
    # PowerShell refuses before the script's first line, so there is no outcome to print.
    return ScriptResult(exit_code=1, stderr=f"Cannot validate argument on parameter '{parameter}'.")


def _reset_worker_key(guest: Guest, parameters: Mapping[str, str], effects: Effects) -> ScriptResult:
    """Export the worker key, remove it, restart HealthService. The same `StepId` twice does it once."""
    step = parameters.get("stepid", "").lower()
    if not _STEP_ID.fullmatch(step):
        return _invalid("StepId")
    path = f"{FOLDER}{step}.reg"
    repeated = step in guest.marks
    if not repeated:
        if guest.key is None:
            return _says(3, "refused", reason="no-worker-key")
        if guest.key.user_group:
            return _says(3, "refused", reason="user-hybrid-worker")
        guest.files[path.lower()], guest.key = guest.key, None
        guest.marks.add(step)
        effects.restarted(guest)
    saved = guest.files[path.lower()]
    return _says(0, "reset", exportPath=path, sha256=sha256_of(saved.export()), repeated=repeated)


def _restore_worker_key(guest: Guest, parameters: Mapping[str, str], effects: Effects) -> ScriptResult:
    """Import the export of a step and restart HealthService: the old identity is back."""
    step, wanted = parameters.get("stepid", "").lower(), parameters.get("sha256", "").lower()
    if not _STEP_ID.fullmatch(step):
        return _invalid("StepId")
    if not _SHA256.fullmatch(wanted):
        return _invalid("Sha256")
    saved = guest.files.get(f"{FOLDER}{step}.reg".lower())
    if saved is None:
        return _says(3, "refused", reason="no-export")
    if sha256_of(saved.export()) != wanted:
        return _says(3, "refused", reason="export-changed")
    guest.key = saved
    guest.marks.discard(step)
    effects.restarted(guest)
    return _says(0, "restored", sha256=wanted)


def _restart_agent(guest: Guest, parameters: Mapping[str, str], effects: Effects) -> ScriptResult:
    """Restart the agent, or start it where it is stopped."""
    if not _STEP_ID.fullmatch(parameters.get("stepid", "")):
        return _invalid("StepId")
    before = "Running" if guest.running else "Stopped"
    guest.running = True
    effects.restarted(guest)
    return _says(0, "restarted", before=before, after="Running", repeated=False)


_ON_LINUX_TOO: Final = frozenset({_restart_agent})
SCRIPTS: Final[Mapping[str, Behaviour]] = {
    "reset-worker-key": _reset_worker_key,
    "restore-worker-key": _restore_worker_key,
    "restart-agent": _restart_agent,
}
