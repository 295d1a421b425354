"""What must be true of a machine before one of our scripts is sent to it."""

from __future__ import annotations

import hashlib
from typing import Final

from model.documents import Document, list_at
from model.facts import Facts, PowerState
from model.findings import Finding

RUN_COMMAND: Final = frozenset(
    {
        "Microsoft.Compute/virtualMachines/runCommands/write",
        "Microsoft.Compute/virtualMachines/runCommands/delete",
    }
)
"""The Azure actions that a managed run command needs."""


def unfit(finding: Finding, facts: Facts, *, os: str = "") -> str | None:
    """Why no script can be sent to the finding's machine now; None where one can. `os` empty: either system."""
    machine = facts.machines.get(finding.target)
    if gap := facts.missing(finding.target):
        return f"the machine could not be read: {gap.what}"
    if machine is None or machine.is_arc:
        return "scripts are sent to virtual machines of Azure only"
    if machine.os.lower() not in {"windows", "linux"} or (os and machine.os.lower() != os.lower()):
        return f"it runs {machine.os or 'an unknown system'}, and this repair is for {os or 'Windows and Linux'}"
    if machine.power is not PowerState.RUNNING:
        return f"it is {machine.power.value}, and Run Command needs it running"
    document = facts.documents.get(machine.id)
    if document is None:
        return "the VM does not exist any more"
    if not _agent_ready(document):
        return "its guest agent is not ready, and Run Command needs it"
    return None


def step_id(finding: Finding, deed: str) -> str:
    """Names what a script leaves on the machine: the same for the same repair of the same finding."""
    return hashlib.sha256(f"{deed}:{finding.key}".encode()).hexdigest()[:16]


def _agent_ready(document: Document) -> bool:
    statuses = list_at(document, "properties.instanceView.vmAgent.statuses")
    return any(isinstance(s, dict) and str(s.get("code")).lower() == "provisioningstate/succeeded" for s in statuses)
