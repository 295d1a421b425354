"""Keep Windows Update from restarting a machine by its own policy."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

from model.facts import Facts, Reading
from model.findings import Finding
from model.plans import Declined, Plan, Settle
from model.states import ActionClass, FailureState, Impact
from remediations.protocol import declined
from remediations.windows_updates import RUN_COMMAND, of_a_domain, on_the_machine, script, unfit

_BY_HAND = (
    "On the machine, under HKLM\\SOFTWARE\\Policies\\Microsoft\\Windows\\WindowsUpdate\\AU: "
    "AlwaysAutoRebootAtScheduledTime 0, no AlwaysAutoRebootAtScheduledTimeMinutes, NoAutoRebootWithLoggedOnUsers 1, "
    "AUOptions 7 (Server 2016 and later) or 3 (earlier); in a domain have the group policy do it, or it comes back."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SetRebootPolicy:
    """Set the policy of Windows Update so that it restarts nothing by itself.

    Effect: `AlwaysAutoRebootAtScheduledTime` 0, its minutes removed, `NoAutoRebootWithLoggedOnUsers` 1, `AUOptions` as
    in `set-au-options`; all four are recorded before.
    Declined: the machine is not a running Windows VM with a ready guest agent. On the machine: it belongs to a domain,
    whose group policy would write the values anew, or to Configuration Manager.
    Risk: a machine that never restarts stays half-patched; restart it in a window of your own.
    Verified: two days later no further restart after a run is on record.
    Undo: the recorded values are written back, and those removed that were not there.
    """

    id: ClassVar[str] = "set-reboot-policy"
    fixes: ClassVar[FailureState] = FailureState.UNEXPLAINED_REBOOTS
    action_class: ClassVar[ActionClass] = ActionClass.OPT
    impact: ClassVar[Impact] = Impact.REVERSIBLE
    permissions: ClassVar[frozenset[str]] = RUN_COMMAND
    reads: ClassVar[frozenset[Reading]] = frozenset()
    settle: timedelta = timedelta(days=2, hours=1)
    """The restart that was found is in the log for two days."""

    def needs(self, finding: Finding, facts: Facts) -> frozenset[str]:
        return on_the_machine(finding, facts)

    def plan(self, finding: Finding, facts: Facts) -> Plan | Declined:
        if why := unfit(finding, facts) or of_a_domain(finding):
            return declined(finding, self.id, why, _BY_HAND)
        machine = facts.machines[finding.target]
        return Plan(
            finding=finding,
            remediation=self.id,
            impact=self.impact,
            reason=(
                f"Windows Update restarts {machine.name} by a policy of its own, whatever the deployment says. The "
                "script sets AlwaysAutoRebootAtScheduledTime 0, NoAutoRebootWithLoggedOnUsers 1 and AUOptions 7 "
                "(3 before Windows Server 2016)."
            ),
            steps=(script(machine, "set-reboot-policy", undo="restore-registry"),),
            settle=Settle(after=self.settle, why="the restart that was found has left the log by then"),
            risk=f"{machine.name} stays half-patched until somebody restarts it after an update that needs it.",
        )
