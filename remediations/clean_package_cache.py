"""Make room on a full disk from the package manager's own cache."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

from model.facts import Facts, Reading
from model.findings import Finding
from model.plans import Declined, Plan
from model.states import ActionClass, FailureState, Impact
from remediations.linux_repairs import RUN_COMMANDS, Repair, plan_repair

_REPAIR: Final = Repair(
    remediation="clean-package-cache",
    impact=Impact.REVERSIBLE,
    reason="Downloaded packages can be had again, and they take room on the full file system.",
    risk="None beyond that packages are downloaded again.",
    evidence_last=True,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CleanPackageCache:
    """Remove downloaded packages from the cache of apt, yum or zypper, then keep the worker's log.

    Effect: room in `/var`; what was in the cache is listed on the machine. Nothing else is removed, and never a kernel.
    Declined: another cause; the machine is not running, or its guest agent is not ready.
    Risk: none beyond that packages are downloaded again.
    Verified: the next run of the deployment succeeds on the machine.
    Undo: none; packages are downloaded again when they are needed.
    """

    id: ClassVar[str] = "clean-package-cache"
    fixes: ClassVar[FailureState] = FailureState.LINUX_RUN_FAILED
    action_class: ClassVar[ActionClass] = ActionClass.AUTO
    impact: ClassVar[Impact] = Impact.REVERSIBLE
    permissions: ClassVar[frozenset[str]] = RUN_COMMANDS
    reads: ClassVar[frozenset[Reading]] = frozenset()

    def needs(self, finding: Finding, facts: Facts) -> frozenset[str]:
        # The instance view: Run Command does not work where the guest agent is not ready.
        return frozenset({finding.target})

    def plan(self, finding: Finding, facts: Facts) -> Plan | Declined:
        return plan_repair(_REPAIR, finding, facts)
