"""Point a WSUS client at the WSUS server that the operator has named."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar, Final
from urllib.parse import urlsplit

from model.facts import Facts, Reading
from model.findings import Finding
from model.plans import Declined, Plan
from model.states import ActionClass, FailureState, Impact
from remediations.protocol import declined
from remediations.start_update_service import settled
from remediations.windows_updates import RUN_COMMAND, advised, deployments_of, on_the_machine, script, unfit

_UNRESOLVED, _MISSING = "0x8024402C", "0x80244011"
CODES: Final = frozenset({_UNRESOLVED, _MISSING})
"""The server's name is not resolved; the policy names none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SetWsusServer:
    """Name the operator's WSUS server in `WUServer` and `WUStatusServer` of a client that names a wrong one, or none.

    Effect: two values of the policy of Windows Update change after they were recorded; wuauserv and HealthService
    restart, and the machine is assessed anew.
    Declined: no server is set (`PATCHWRIGHT_WSUS_SERVER`); the code is neither 0x8024402C nor 0x80244011; the machine
    names that server already; it is not a running Windows VM with a ready guest agent. On the machine: it is joined to
    a domain or managed by Configuration Manager, which set these values themselves, or it uses no WSUS server.
    Risk: the machine takes its updates, and their approval, from that server from then on.
    Verified: the newest assessment, or the next run where the error was one of an installation, has no error.
    Undo: the recorded values are set again; one that was not there is removed.
    """

    id: ClassVar[str] = "set-wsus-server"
    fixes: ClassVar[FailureState] = FailureState.UPDATE_AGENT_ERROR
    action_class: ClassVar[ActionClass] = ActionClass.OPT
    impact: ClassVar[Impact] = Impact.REVERSIBLE
    permissions: ClassVar[frozenset[str]] = RUN_COMMAND
    reads: ClassVar[frozenset[Reading]] = frozenset()
    server: str = ""
    """The address, with scheme and port; empty for none."""
    after_run: timedelta = timedelta(hours=7)
    """As for `start-update-service`."""

    def needs(self, finding: Finding, facts: Facts) -> frozenset[str]:
        return on_the_machine(finding, facts) | deployments_of(finding, facts) if self.server else frozenset()

    def plan(self, finding: Finding, facts: Facts) -> Plan | Declined:
        code, named = finding.evidence.get("code"), str(finding.evidence.get("server") or "").lower()
        if not self.server or code not in CODES or unfit(finding, facts):
            return advised(finding, facts, self.id)
        if named == urlsplit(self.server).hostname:
            return declined(finding, self.id, f"it names {named} already, which is the WSUS server that is set")
        machine = facts.machines[finding.target]
        step = script(
            machine,
            "set-wsus-server",
            parameters={"ServerHex": self.server.encode().hex()},
            undo="restore-registry",
        )
        return Plan(
            finding=finding,
            remediation=self.id,
            impact=self.impact,
            reason=f"{code}: {finding.evidence['meaning']}. The operator's WSUS server is {self.server}.",
            steps=(step,),
            settle=settled(finding, facts, self.after_run),
            risk=f"{machine.name} takes its updates, and their approval, from {self.server} from then on.",
        )
