"""Install what packages depend on, by apt-get."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

from model.facts import Facts, Reading
from model.findings import Finding
from model.plans import Declined, Plan
from model.states import ActionClass, FailureState, Impact
from remediations.linux_repairs import RUN_COMMANDS, Repair, plan_repair

_REPAIR: Final = Repair(
    remediation="fix-dependencies",
    impact=Impact.DISRUPTIVE,
    reason="apt-get installs nothing else while dependencies are unmet.",
    risk="Packages are installed and services may restart; none is removed.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FixDependencies:
    """Keep the worker's log and let apt-get complete the dependencies, without removing any package.

    Effect: `apt-get -f install -y --no-remove`, which stops where a package would have to go;
    a copy of dpkg's state comes first.
    Declined: another cause; the machine is not running, or its guest agent is not ready.
    Held: outside the maintenance windows of the machine, whoever applies it.
    Risk: packages are installed and services may restart.
    Verified: the next run of the deployment succeeds on the machine.
    Undo: none: what was installed stays. The state from before is kept on the machine.
    """

    id: ClassVar[str] = "fix-dependencies"
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
