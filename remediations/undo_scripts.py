"""What the scripts that undo other scripts have to be told, and which scripts leave nothing to undo."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from model.documents import Document, text_at
from model.plans import RunScript

PARAMETERS: Final[Mapping[str, tuple[str, ...]]] = {
    "linux/restore-rpmdb.sh": ("StepId", "LockSeconds"),
    "windows/restore-agent-cache.ps1": ("StepId", "Sha256"),
    "windows/restore-agent-service.ps1": ("StepId", "Sha256"),
    "windows/restore-machine-keys.ps1": ("StepId", "ParentSha256", "KeysSha256"),
    "windows/restore-registry.ps1": ("StepId", "Sha256"),
    "windows/restore-store-rights.ps1": ("StepId", "Sha256"),
    "windows/restore-tls12.ps1": ("StepId", "Sha256"),
    "windows/restore-update-service.ps1": ("StepId", "Sha256"),
    "windows/restore-update-store.ps1": ("StepId", "Sha256"),
    "windows/restore-worker-key.ps1": ("StepId", "Sha256"),
}
"""By script below `scripts/`. What it is not told by the step that it undoes, that step's outcome line said."""

NOTHING_TO_PUT_BACK: Final[Mapping[str, str]] = {
    "linux/clean-package-cache.sh": "not needed: what was downloaded is downloaded again",
    "linux/configure-packages.sh": "cannot be undone: what is configured stays so; the state from before is kept there",
    "linux/fix-dependencies.sh": "cannot be undone: what was installed stays; the state from before is kept there",
    "linux/refresh-metadata.sh": "not needed: the lists are those that the repositories have now",
    "linux/restart-agent.sh": "not needed: the agent runs as it is set to",
    "linux/resync-clock.sh": "not needed: a clock that was wrong is not set wrong again",
    "windows/free-update-cache.ps1": "not needed: what was downloaded is downloaded again",
    "windows/restart-agent.ps1": "not needed: the agent runs as it is set to",
    "windows/resync-clock.ps1": "not needed: a clock that was wrong is not set wrong again",
}
"""By script that nothing undoes: what a person is told of that."""
CHANGE_NOTHING: Final = frozenset({"linux/collect-worker-log.sh", "windows/rescan-updates.ps1"})
"""Scripts that look, or make a service look: afterwards the machine is as it was."""


def undoing(step: RunScript, result: Document) -> RunScript | None:
    """The script that undoes what `step` did; None where there is none, or `result` lacks what it has to be told.

    `result` is what the script's outcome line said.
    """
    if step.undo_script is None:
        return None
    told: dict[str, str] = {}
    for name in PARAMETERS[step.undo_script]:
        value = step.parameters.get(name) or text_at(result, name[:1].lower() + name[1:])
        if not value:
            return None
        told[name] = value
    return RunScript(
        machine=step.machine,
        location=step.location,
        script=step.undo_script,
        parameters=told,
        time_out=step.time_out,
    )
