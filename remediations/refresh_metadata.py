"""Read the lists of packages anew on a machine whose lists are stale or damaged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

from model.facts import Facts, Reading
from model.findings import Finding
from model.plans import Declined, Plan
from model.states import ActionClass, FailureState, Impact
from remediations.linux_repairs import RUN_COMMANDS, Repair, plan_repair

_REPAIR: Final = Repair(
    remediation="refresh-metadata",
    impact=Impact.REVERSIBLE,
    reason="Lists that are thrown away and read again are the repositories' present ones.",
    risk="None beyond the download.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RefreshMetadata:
    """Keep the worker's log, throw the lists of packages away and read them again.

    Effect: `apt-get clean` and `update`, `yum clean all` and `makecache`, or `zypper clean` and `refresh`; waits
    for whoever holds the lock. Nothing is installed or removed.
    Declined: another cause; the machine is not running, or its guest agent is not ready.
    Risk: none beyond the download.
    Verified: the next run of the deployment succeeds on the machine.
    Undo: none; lists are the repositories', not the machine's.
    """

    id: ClassVar[str] = "refresh-metadata"
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
