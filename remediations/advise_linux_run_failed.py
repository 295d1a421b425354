"""Advice for failed runs on Linux whose cause is a person's to mend."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from model.facts import Facts, Reading
from model.findings import Finding
from model.plans import Declined
from model.states import ActionClass, FailureState, Impact
from remediations.linux_repairs import advice, means, unfit
from remediations.protocol import declined


@dataclass(frozen=True, slots=True, kw_only=True)
class AdviseLinuxRunFailed:
    """Say what failed, in whose words, and what to do on which machine; what Patchwright cannot or must not mend.

    Effect: none.
    Declined: always. Keys, certificates, firewalls, kernels, restarts and locks are left to a person; so is a machine
    to which no script can be sent.
    Verified: the next run of the deployment succeeds on the machine.
    Undo: nothing was changed.
    """

    id: ClassVar[str] = "advise-linux-run-failed"
    fixes: ClassVar[FailureState] = FailureState.LINUX_RUN_FAILED
    action_class: ClassVar[ActionClass] = ActionClass.ADVISE
    impact: ClassVar[Impact] = Impact.READ_ONLY
    permissions: ClassVar[frozenset[str]] = frozenset()
    reads: ClassVar[frozenset[Reading]] = frozenset()

    def needs(self, finding: Finding, facts: Facts) -> frozenset[str]:
        return frozenset()

    def plan(self, finding: Finding, facts: Facts) -> Declined:
        machine, action = facts.machines.get(finding.target), finding.evidence.get("action")
        why = unfit(machine, facts) if machine and action not in {"none", "exclude-package"} else ""
        return declined(finding, self.id, f"{means(finding)}{f'; {why}' if why else ''}", *advice(finding))
