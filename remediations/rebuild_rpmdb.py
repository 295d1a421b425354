"""Rebuild a damaged rpm database."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

from model.facts import Facts, Reading
from model.findings import Finding
from model.plans import Declined, Plan
from model.states import ActionClass, FailureState, Impact
from remediations.linux_repairs import RUN_COMMANDS, Repair, plan_repair

_REPAIR: Final = Repair(
    remediation="rebuild-rpmdb",
    impact=Impact.DISRUPTIVE,
    reason="rpm rebuilds its database from its own records; a copy is made first.",
    risk="No package can be installed while it lasts. What the damage has lost stays lost.",
    undo_script="linux/restore-rpmdb.sh",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RebuildRpmdb:
    """Keep the worker's log, copy the rpm database, and let rpm rebuild it.

    Effect: `rpm --rebuilddb`, after a copy; refused where there is no room for one, or where rpm reads its database.
    Declined: another cause; the machine is not running, or its guest agent is not ready.
    Risk: no package can be installed while it lasts; what the damage has lost stays lost.
    Verified: the next run of the deployment succeeds on the machine.
    Undo: `restore-rpmdb` puts the copy back.
    """

    id: ClassVar[str] = "rebuild-rpmdb"
    fixes: ClassVar[FailureState] = FailureState.LINUX_RUN_FAILED
    action_class: ClassVar[ActionClass] = ActionClass.OPT
    impact: ClassVar[Impact] = Impact.DISRUPTIVE
    permissions: ClassVar[frozenset[str]] = RUN_COMMANDS
    reads: ClassVar[frozenset[Reading]] = frozenset()

    def needs(self, finding: Finding, facts: Facts) -> frozenset[str]:
        # The instance view: Run Command does not work where the guest agent is not ready.
        return frozenset({finding.target})

    def plan(self, finding: Finding, facts: Facts) -> Plan | Declined:
        return plan_repair(_REPAIR, finding, facts)
