"""Let Defender fetch definitions that are days old anew."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

from model.facts import Facts, Reading
from model.findings import Finding
from model.plans import Declined, Plan, Settle
from model.states import ActionClass, FailureState, Impact
from remediations.protocol import declined
from remediations.windows_updates import RUN_COMMAND, on_the_machine, script, unfit


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateSignatures:
    """Run `Update-MpSignature`: Defender fetches its newest definitions from where it is told to.

    Effect: newer definitions; no setting changes.
    Declined: it is not a running Windows VM of Azure with a ready guest agent. On the machine: there is no Defender, or
    it is switched off because another product is in charge.
    Risk: a definition that takes a harmless file for malware comes a little earlier.
    Verified: a new look into the machine finds signatures that are three days old at most.
    Undo: none: Defender goes forward only.
    """

    id: ClassVar[str] = "update-signatures"
    fixes: ClassVar[FailureState] = FailureState.KB2267602_MISSING
    action_class: ClassVar[ActionClass] = ActionClass.OPT
    impact: ClassVar[Impact] = Impact.ADDITIVE
    permissions: ClassVar[frozenset[str]] = RUN_COMMAND
    reads: ClassVar[frozenset[Reading]] = frozenset()

    def needs(self, finding: Finding, facts: Facts) -> frozenset[str]:
        return on_the_machine(finding, facts)

    def plan(self, finding: Finding, facts: Facts) -> Plan | Declined:
        if why := unfit(finding, facts):
            return declined(
                finding,
                self.id,
                f"the definitions of Defender are days old, and {why}",
                f"On {finding.name}: `Update-MpSignature`; `Get-MpComputerStatus` shows AntivirusSignatureAge.",
                "Where the machine takes updates from WSUS, have definition updates approved there by a rule.",
            )
        return Plan(
            finding=finding,
            remediation=self.id,
            impact=self.impact,
            reason=f"{finding.reason}. `Update-MpSignature` fetches the newest; no setting changes.",
            steps=(script(facts.machines[finding.target], "update-signatures"),),
            settle=Settle(after=timedelta(minutes=20), why="a new look into the machine tells how old they are then"),
            risk="Where they grow old again, something keeps Defender from fetching them: WSUS, a proxy, a policy.",
        )
