"""Give SYSTEM back its rights to the folder of machine keys."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

from model.facts import Facts, Reading
from model.findings import Finding
from model.plans import Declined, Plan, RunScript, Settle
from model.states import ActionClass, FailureState, Impact
from remediations.advice import where
from remediations.in_guest import RUN_COMMAND, step_id, unfit
from remediations.protocol import declined


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantMachineKeys:
    """Grant SYSTEM to read `C:\\ProgramData\\Microsoft\\Crypto\\RSA` and to modify its `MachineKeys`.

    Effect: one entry more in the access list of each folder, without inheritance, so that the keys keep their own
    lists; HealthService restarts. The script first looks whether the rights are really missing.
    Declined: the machine is not a running Windows VM with a ready guest agent. The script itself refuses, and changes
    nothing, where the rights are there, a deny entry takes them away, or somebody else owns a folder.
    Risk: relevant to security: SYSTEM can read and write the machine's keys, as on every machine by default.
    Verified: a day later the agent has not complained any more.
    Undo: `icacls /restore` of the lists that were saved before.
    """

    id: ClassVar[str] = "grant-machine-keys"
    fixes: ClassVar[FailureState] = FailureState.SELFSIGNED_CERT_FAILURE
    action_class: ClassVar[ActionClass] = ActionClass.OPT
    impact: ClassVar[Impact] = Impact.REVERSIBLE
    permissions: ClassVar[frozenset[str]] = RUN_COMMAND
    reads: ClassVar[frozenset[Reading]] = frozenset()

    def needs(self, finding: Finding, facts: Facts) -> frozenset[str]:
        # The instance view: Run Command does not work where the guest agent is not ready.
        return frozenset({finding.target}) if finding.target in facts.machines else frozenset()

    def plan(self, finding: Finding, facts: Facts) -> Plan | Declined:
        if why := unfit(finding, facts, os="Windows"):
            return declined(
                finding,
                self.id,
                why,
                f"On {where(finding, facts)}, save the access lists: "
                r"icacls C:\ProgramData\Microsoft\Crypto\RSA /save C:\rsa.acl, and "
                r"icacls C:\ProgramData\Microsoft\Crypto\RSA\MachineKeys /save C:\machinekeys.acl",
                r"Then grant SYSTEM its rights: icacls C:\ProgramData\Microsoft\Crypto\RSA /grant *S-1-5-18:RX, and "
                r"icacls C:\ProgramData\Microsoft\Crypto\RSA\MachineKeys /grant *S-1-5-18:(M)",
                "Restart the service HealthService.",
            )
        machine = facts.machines[finding.target]
        return Plan(
            finding=finding,
            remediation=self.id,
            impact=self.impact,
            reason=(
                f"The agent of {machine.name} runs as SYSTEM and may not write its certificate's key. The script lets "
                r"SYSTEM read C:\ProgramData\Microsoft\Crypto\RSA and modify its MachineKeys, and restarts "
                "HealthService."
            ),
            steps=(
                RunScript(
                    machine=machine.arm_id,
                    location=machine.location,
                    script="windows/grant-machine-keys.ps1",
                    parameters={"StepId": step_id(finding, self.id)},
                    undo_script="windows/restore-machine-keys.ps1",
                ),
            ),
            settle=Settle(after=timedelta(hours=25), why="the agent's complaints of a whole day are looked through"),
            risk="Who may reach the machine's keys is a matter of security: SYSTEM gets what it has by default.",
        )
