"""Finish an installation that was interrupted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

from model.facts import Facts, Reading
from model.findings import Finding
from model.plans import Declined, Plan
from model.states import ActionClass, FailureState, Impact
from remediations.linux_repairs import RUN_COMMANDS, Repair, plan_repair

_REPAIR: Final = Repair(
    remediation="configure-packages",
    impact=Impact.DISRUPTIVE,
    reason="dpkg asks for this itself, and installs nothing before it is done.",
    risk="Services of the packages may restart. Changed settings are kept.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigurePackages:
    """Keep the worker's log and configure the packages that dpkg left half-installed, without a question.

    Effect: `dpkg --force-confdef --force-confold --configure -a`, after a copy of dpkg's state.
    Declined: another cause; the machine is not running, or its guest agent is not ready.
    Held: outside the maintenance windows of the machine, whoever applies it.
    Risk: services of the packages may restart.
    Verified: the next run of the deployment succeeds on the machine.
    Undo: none: a package that is configured is not unconfigured. The state from before is kept on the machine.
    """

    id: ClassVar[str] = "configure-packages"
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
