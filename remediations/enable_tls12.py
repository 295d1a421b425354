"""Turn TLS 1.2 on for the clients of a machine."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar, Final

from model.facts import Facts, Reading
from model.findings import Finding
from model.plans import Declined, Plan, RunScript, Settle
from model.states import ActionClass, FailureState, Impact
from remediations.advice import where
from remediations.endpoints import TAGS, endpoints
from remediations.in_guest import RUN_COMMAND, step_id, unfit
from remediations.protocol import declined

TLS: Final = "no-common-algorithm"
_BY_CAUSE: Final = {
    "answer-is-no-json": (
        "something between the machine and the service answers with a page of its own",
        "On {machine}, run as an administrator: netsh winhttp show proxy",
        "Let the proxy that it shows pass the names below on unchanged, or put them on its bypass list.",
    ),
    "foreign-certificate": (
        "a proxy or firewall takes the TLS connection apart, which the agent does not accept",
        "Take the names below out of TLS inspection for {machine}.",
    ),
    "access-denied": (
        "the agent's request is denied on its way, or on the machine",
        "On {machine}, check that the proxy asks for no sign-in of SYSTEM: netsh winhttp show proxy",
        "Check that the service HealthService runs as Local System, and that no security product blocks it.",
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class EnableTls12:
    """Turn TLS 1.2 on for clients in SCHANNEL and in .NET, and restart the monitoring agent.

    Effect: `Enabled` and `DisabledByDefault` of TLS 1.2's client, `SchUseStrongCrypto` of .NET 4 in both registry
    views, and nothing else; HealthService restarts.
    Declined: the agent says something else than that it shares no algorithm with the service (then a person gets the
    list of what the machine has to reach); the machine is not a running Windows VM with a ready guest agent.
    Risk: programs that need an older TLS keep it; some take the new one up only when the machine restarts, which is its
    owner's to do.
    Verified: a day later the agent has not complained any more.
    Undo: a script puts back the values that were written down before, and removes those that were not there.
    """

    id: ClassVar[str] = "enable-tls12"
    fixes: ClassVar[FailureState] = FailureState.MACHINE_CANNOT_COMMUNICATE
    action_class: ClassVar[ActionClass] = ActionClass.OPT
    impact: ClassVar[Impact] = Impact.REVERSIBLE
    permissions: ClassVar[frozenset[str]] = RUN_COMMAND
    reads: ClassVar[frozenset[Reading]] = frozenset()
    cloud: str = "public"
    """Whose endpoints a person is told."""

    def needs(self, finding: Finding, facts: Facts) -> frozenset[str]:
        # The instance view: Run Command does not work where the guest agent is not ready.
        return (
            frozenset({finding.target}) if self._is_tls(finding) and finding.target in facts.machines else frozenset()
        )

    def plan(self, finding: Finding, facts: Facts) -> Plan | Declined:
        if not self._is_tls(finding):
            reason, *first = _BY_CAUSE.get(str(finding.evidence.get("cause")), _BY_CAUSE["access-denied"])
            told = [step.replace("{machine}", where(finding, facts)) for step in first]
            return declined(finding, self.id, reason, *told, *self._reachable(finding, facts))
        if why := unfit(finding, facts, os="Windows"):
            return declined(
                finding,
                self.id,
                why,
                f"On {where(finding, facts)}, set Enabled=1 and DisabledByDefault=0 (DWORD) under "
                r"HKLM\SYSTEM\CurrentControlSet\Control\SecurityProviders\SCHANNEL\Protocols\TLS 1.2\Client, and "
                r"SchUseStrongCrypto=1 (DWORD) under HKLM\SOFTWARE\Microsoft\.NETFramework\v4.0.30319 and "
                r"HKLM\SOFTWARE\Wow6432Node\Microsoft\.NETFramework\v4.0.30319; then restart the machine.",
            )
        machine = facts.machines[finding.target]
        return Plan(
            finding=finding,
            remediation=self.id,
            impact=self.impact,
            reason=(
                f"The agent of {machine.name} shares no algorithm with the service, which takes TLS 1.2 and newer. The "
                "script sets Enabled 1 and DisabledByDefault 0 for clients of TLS 1.2, SchUseStrongCrypto 1 for .NET 4 "
                "and restarts HealthService."
            ),
            steps=(
                RunScript(
                    machine=machine.arm_id,
                    location=machine.location,
                    script="windows/enable-tls12.ps1",
                    parameters={"StepId": step_id(finding, self.id)},
                    undo_script="windows/restore-tls12.ps1",
                ),
            ),
            settle=Settle(after=timedelta(hours=25), why="the agent's complaints of a whole day are looked through"),
            risk=f"Programs that run on {machine.name} now may take TLS 1.2 up only when it restarts.",
        )

    @staticmethod
    def _is_tls(finding: Finding) -> bool:
        return finding.evidence.get("cause") == TLS

    def _reachable(self, finding: Finding, facts: Facts) -> tuple[str, ...]:
        hosts = endpoints(self.cloud, facts.workspace_guid)
        return (
            f"From {where(finding, facts)}, outbound and without TLS inspection, these have to be reached: "
            + "; ".join(hosts),
            f"In a network security group or Azure Firewall the service tags {' and '.join(TAGS)} allow them.",
            f"Try one of them on the machine: Test-NetConnection {hosts[0].partition(':')[0]} -Port 443",
        )
