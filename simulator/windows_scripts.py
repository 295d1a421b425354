"""Our scripts for Windows as simulated guests know them: what each takes, and what it does."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from simulator import windows_agent as agent
from simulator import windows_updates as updates
from simulator.guests import Guest
from simulator.outcomes import Effects, Ended, ScriptResult, outcome_line
from simulator.windows_call import Call, Fields

_STEP_ID: Final = "[0-9a-f]{16}"
_SHA256: Final = "[0-9a-f]{64}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Script:
    body: Callable[[Call], Fields]
    parameters: Mapping[str, str]
    """By name, what `ValidatePattern` says of it."""


_STEP: Final = {"StepId": _STEP_ID}
_UNDO: Final = {"StepId": _STEP_ID, "Sha256": _SHA256}
SCRIPTS: Final[Mapping[str, _Script]] = {
    "clear-agent-cache": _Script(body=agent.clear_agent_cache, parameters=_STEP),
    "enable-agent": _Script(body=agent.enable_agent, parameters=_STEP),
    "enable-tls12": _Script(body=agent.enable_tls12, parameters=_STEP),
    "free-update-cache": _Script(body=updates.free_update_cache, parameters=_STEP),
    "grant-machine-keys": _Script(body=agent.grant_machine_keys, parameters=_STEP),
    "grant-update-store": _Script(body=updates.grant_update_store, parameters=_STEP),
    "rescan-updates": _Script(body=updates.rescan_updates, parameters={}),
    "reset-update-store": _Script(body=updates.reset_update_store, parameters=_STEP),
    "reset-worker-key": _Script(body=agent.reset_worker_key, parameters=_STEP),
    "restart-agent": _Script(body=agent.restart_agent, parameters=_STEP),
    "restore-agent-cache": _Script(body=agent.restore_agent_cache, parameters=_UNDO),
    "restore-agent-service": _Script(body=agent.restore_agent_service, parameters=_UNDO),
    "restore-machine-keys": _Script(
        body=agent.restore_machine_keys, parameters={**_STEP, "ParentSha256": _SHA256, "KeysSha256": _SHA256}
    ),
    "restore-registry": _Script(body=updates.restore_registry, parameters=_UNDO),
    "restore-store-rights": _Script(body=updates.restore_store_rights, parameters=_UNDO),
    "restore-tls12": _Script(body=agent.restore_tls12, parameters=_UNDO),
    "restore-update-service": _Script(body=updates.restore_update_service, parameters=_UNDO),
    "restore-update-store": _Script(body=updates.restore_update_store, parameters=_UNDO),
    "restore-worker-key": _Script(body=agent.restore_worker_key, parameters=_UNDO),
    "resync-clock": _Script(body=agent.resync_clock, parameters=_STEP),
    "set-au-options": _Script(body=updates.set_au_options, parameters={**_STEP, "Target": "3|auto"}),
    "set-reboot-policy": _Script(body=updates.set_reboot_policy, parameters=_STEP),
    "set-wsus-server": _Script(
        body=updates.set_wsus_server, parameters={**_STEP, "ServerHex": "([0-9a-f]{2}){10,300}"}
    ),
    "start-update-service": _Script(body=updates.start_update_service, parameters=_STEP),
    "update-signatures": _Script(body=updates.update_signatures, parameters={}),
}


def run(name: str, guest: Guest, parameters: Mapping[str, str], effects: Effects) -> ScriptResult:
    """Run one of `SCRIPTS`; `parameters` by lower-case name."""
    script = SCRIPTS[name]
    if unknown := parameters.keys() - {known.lower() for known in script.parameters}:
        stderr = f"A parameter cannot be found that matches parameter name '{min(unknown)}'."
        return ScriptResult(exit_code=1, stderr=stderr)
    for parameter, pattern in script.parameters.items():
        # PowerShell refuses before the script's first line, so there is no outcome to print.
        if not re.fullmatch(pattern, parameters.get(parameter.lower(), ""), re.IGNORECASE | re.ASCII):
            return ScriptResult(exit_code=1, stderr=f"Cannot validate argument on parameter '{parameter}'.")
    try:
        outcome, fields = script.body(Call(guest=guest, parameters=parameters, effects=effects))
    except Ended as ended:
        return ended.result
    return ScriptResult(exit_code=0, stdout=outcome_line(outcome, **fields))
