"""Advice for failed runs on Linux whose cause is a person's to mend."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from model.facts import Facts
from model.findings import Finding
from model.states import FailureState
from remediations.advice import AdviceOnly
from remediations.linux_repairs import advice, means, unfit


@dataclass(frozen=True, slots=True, kw_only=True)
class AdviseLinuxRunFailed(AdviceOnly):
    """Say what failed, in whose words, and what to do on which machine; what Patchwright cannot or must not mend.

    Effect: none.
    Declined: always. Keys, certificates, firewalls, kernels, restarts and locks are left to a person; so is a machine
    to which no script can be sent.
    Verified: the next run of the deployment succeeds on the machine.
    Undo: nothing was changed.
    """

    id: ClassVar[str] = "advise-linux-run-failed"
    fixes: ClassVar[FailureState] = FailureState.LINUX_RUN_FAILED

    def advise(self, finding: Finding, facts: Facts) -> tuple[str, ...]:
        machine, action = facts.machines.get(finding.target), finding.evidence.get("action")
        why = unfit(machine, facts) if machine and action not in {"none", "exclude-package"} else ""
        return f"{means(finding)}{f'; {why}' if why else ''}", *advice(finding)
