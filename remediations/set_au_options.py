"""Leave installing to the deployments."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar, Literal

from model.facts import Facts, Reading
from model.findings import Finding
from model.plans import Declined, Plan, Settle
from model.runs import runs_again
from model.states import ActionClass, FailureState, Impact
from remediations.protocol import declined
from remediations.windows_updates import RUN_COMMAND, deployments_of, of_a_domain, on_the_machine, script, unfit

_BY_HAND = (
    "On the machine: set the DWORD AUOptions under HKLM\\SOFTWARE\\Policies\\Microsoft\\Windows\\WindowsUpdate\\AU "
    "to 7 (Server 2016 and later) or 3 (earlier); in a domain the policy 'Configure Automatic Updates' does it."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SetAuOptions:
    """Set `AUOptions`, so that Windows Update downloads and installs nothing by itself.

    Effect: one registry value, after it was recorded; 7 on Windows Server 2016 and later, 3 before.
    Declined: no enabled deployment covers the machine, which nobody would patch then; the machine is not a running
    Windows VM with a ready guest agent. On the machine: it belongs to a domain or to Configuration Manager.
    Risk: the machine is patched by its deployments alone from then on.
    Verified: the next assessment no longer says "Scheduled installation".
    Undo: the recorded value is written back, or removed where there was none.
    """

    id: ClassVar[str] = "set-au-options"
    fixes: ClassVar[FailureState] = FailureState.UPDATES_WITHOUT_DEPLOYMENT
    action_class: ClassVar[ActionClass] = ActionClass.AUTO
    impact: ClassVar[Impact] = Impact.REVERSIBLE
    permissions: ClassVar[frozenset[str]] = RUN_COMMAND
    reads: ClassVar[frozenset[Reading]] = frozenset({Reading.DEPLOYMENTS})
    target: Literal["3", "auto"] = "auto"
    """3 as the article has it, or by the version of Windows, as later documentation does."""
    settle: timedelta = timedelta(hours=13)
    """Windows machines are assessed every twelve hours."""

    def needs(self, finding: Finding, facts: Facts) -> frozenset[str]:
        return on_the_machine(finding, facts) | deployments_of(finding, facts)

    def plan(self, finding: Finding, facts: Facts) -> Plan | Declined:
        if why := unfit(finding, facts) or of_a_domain(finding):
            return declined(finding, self.id, why, _BY_HAND)
        if gap := facts.missing(*sorted(self.reads), *sorted(deployments_of(finding, facts))):
            return declined(finding, self.id, f"its deployments could not be read: {gap.what}", _BY_HAND)
        documents = [facts.documents[id_] for id_ in deployments_of(finding, facts) if id_ in facts.documents]
        if not any(runs_again(document, facts.now) for document in documents):
            why = "no enabled deployment covers it, so that its own schedule is all that patches it"
            return declined(finding, self.id, why, f"Add {finding.name} to a deployment first.", _BY_HAND)
        machine = facts.machines[finding.target]
        step = script(machine, "set-au-options", parameters={"Target": self.target}, undo="restore-registry")
        return Plan(
            finding=finding,
            remediation=self.id,
            impact=self.impact,
            reason=(
                f"{machine.name} is patched by its deployments; Windows Update need not install beside them. The "
                "script sets AUOptions to 7 on Windows Server 2016 and later, to 3 before: download and notify."
            ),
            steps=(step,),
            settle=Settle(after=self.settle, why="the next assessment, at most twelve hours away, shows the setting"),
            risk=f"From then on its deployments alone patch {machine.name}.",
        )
