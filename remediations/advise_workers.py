"""Advice on machines that cannot register, and on what stands between them and their jobs: nothing here is changed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Final

from model.documents import list_at
from model.facts import Facts
from model.findings import Finding
from model.states import FailureState
from remediations.advice import RETIRED, AdviceOnly, where
from remediations.endpoints import TAGS, endpoints

_SANDBOXES: Final = r"C:\ProgramData\Microsoft\System Center\Orchestrator\7.2\SMA\Sandboxes"
_KEY: Final = r"HKLM\SOFTWARE\Microsoft\HybridRunbookWorker"


def _name(resource_id: str) -> str:
    return resource_id.rsplit("/", 1)[-1]


def _listed(finding: Finding, field_: str) -> list[str]:
    return [str(item) for item in list_at(dict(finding.evidence), field_)]


def _reachable(cloud: str, facts: Facts, place: str) -> tuple[str, ...]:
    hosts = "; ".join(endpoints(cloud, facts.workspace_guid))
    return (
        f"From {place} these have to be reached, outbound: {hosts}.",
        f"In a network security group or Azure Firewall the service tags {' and '.join(TAGS)} allow them.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class AdviseHybridAgentEvent4502(AdviceOnly):
    """Hand over what the agent says, and where its logs are.

    Effect: none; nobody here knows the text.
    """

    id: ClassVar[str] = "advise-hybrid-agent-event-4502"
    fixes: ClassVar[FailureState] = FailureState.HYBRID_AGENT_EVENT_4502

    def advise(self, finding: Finding, facts: Facts) -> tuple[str, ...]:
        place = where(finding, facts)
        return (
            "its agent reports an error that has no known repair",
            f"What {place} says: {finding.evidence.get('text')}",
            (
                f"Keep the worker's logs of {finding.name} before any restart: the folder {_SANDBOXES} and the "
                "event log Microsoft-SMA/Operational."
            ),
            f"On {finding.name}, restart the agent and see whether the event comes back: Restart-Service HealthService",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AdviseRegisteredElsewhere(AdviceOnly):
    """Say how a machine is released by the account that holds it: never done from here.

    Effect: none. Removing the worker in the wrong account would end the machine's patching there.
    """

    id: ClassVar[str] = "advise-machine-registered-to-different-account"
    fixes: ClassVar[FailureState] = FailureState.MACHINE_REGISTERED_TO_DIFFERENT_ACCOUNT

    def advise(self, finding: Finding, facts: Facts) -> tuple[str, ...]:
        place, computer = where(finding, facts), finding.evidence.get("computer") or finding.name
        return (
            "another Automation account holds its worker, and which of the two is to patch it is its owner's decision",
            (
                f"Make sure that the agent of {place} reports to {_name(facts.workspace)} "
                f"({facts.workspace_guid}) and no other workspace, and that this workspace is linked to "
                f"{_name(facts.account)}: else the machine would be taken from where it belongs."
            ),
            (
                f"In the other Automation account, find the system hybrid worker group {computer}_<guid>; where "
                "its last contact is more than an hour ago, delete that group. Never delete a group of type User."
            ),
            (
                f"Then on {finding.name}: reg export {_KEY} C:\\HybridRunbookWorker.reg, remove the key {_KEY}, and "
                "Restart-Service HealthService: the agent registers anew."
            ),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AdviseCrossTenant(AdviceOnly):
    """Say which machines of a deployment are another tenant's, and how they are scheduled all the same.

    Effect: none. By name a machine of the same name in another tenant could be meant, so a person has to look.
    """

    id: ClassVar[str] = "advise-cross-tenant-linked-subscription"
    fixes: ClassVar[FailureState] = FailureState.CROSS_TENANT_LINKED_SUBSCRIPTION

    def advise(self, finding: Finding, facts: Facts) -> tuple[str, ...]:
        machines, count = _listed(finding, "machines"), finding.evidence.get("machineCount")
        tenants = finding.evidence.get("subscriptions")
        owners = [f"{one} of tenant {tenant}" for one, tenant in (tenants if isinstance(tenants, dict) else {}).items()]
        more = f" and {count - len(machines)} more" if isinstance(count, int) and count > len(machines) else ""
        return (
            "a machine of another tenant can only be scheduled by its name, or after its subscription was delegated",
            f"In {where(finding, facts)}, take these out of azureVirtualMachines: {', '.join(machines)}{more}.",
            (
                "Add each to nonAzureComputerNames (New-AzAutomationSoftwareUpdateConfiguration -NonAzureComputer) "
                "by the Computer that its heartbeats carry, and only where exactly one machine beats under that name: "
                f"they have to report to {_name(facts.workspace)}."
            ),
            (
                f"Or let the owners delegate by Azure Lighthouse to tenant {finding.evidence.get('tenant')}: "
                f"{'; '.join(owners)}."
            ),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AdviseDuplicateName(AdviceOnly):
    """Say which machines bear one name.

    Effect: none; what a machine is called is its owner's.
    """

    id: ClassVar[str] = "advise-duplicate-computer-name"
    fixes: ClassVar[FailureState] = FailureState.DUPLICATE_COMPUTER_NAME

    def advise(self, finding: Finding, facts: Facts) -> tuple[str, ...]:
        others = [
            facts.machines[id_].arm_id if id_ in facts.machines else id_ for id_ in _listed(finding, "sharedWith")
        ]
        shared = ", ".join(others) or "a machine that is out of reach from here"
        computer = finding.evidence.get("computer") or finding.name
        return (
            "two machines of one workspace bear the same computer name, and a machine is renamed by its owner only",
            f"{where(finding, facts)} calls itself {computer}, as does {shared}.",
            (
                "Rename one of them in its operating system (Rename-Computer, or hostnamectl set-hostname) and "
                "restart it; or let it report to another workspace. The name of the Azure resource does not matter."
            ),
            "Until then, schedule them by resource id, and never by computer name.",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AdviseRegistrationBlocked(AdviceOnly):
    """Say what to look at where an agent reports and its worker never registered.

    Effect: none; what blocks it is outside the machine more often than in it.
    """

    id: ClassVar[str] = "advise-registration-blocked"
    fixes: ClassVar[FailureState] = FailureState.REGISTRATION_BLOCKED
    cloud: str = "public"
    """Whose endpoints a person is told."""

    def advise(self, finding: Finding, facts: Facts) -> tuple[str, ...]:
        machine = facts.machines.get(finding.target)
        linux = machine is not None and machine.os.lower() == "linux"
        workspace = facts.workspace_guid or "<workspace>"
        host = endpoints(self.cloud, workspace)[2].partition(":")[0]
        look = (
            f"On {where(finding, facts)}: curl -v https://{host}, and read "
            "/var/opt/microsoft/omsagent/run/automationworker/worker.log."
            if linux
            else f"On {where(finding, facts)}: Test-NetConnection {host} -Port 443, and look for event 4502 in the log "
            "Operations Manager."
        )
        return (
            "its agent reports, but its hybrid worker has never registered",
            *_reachable(self.cloud, facts, finding.name),
            look,
            f"Where all are reached: {
                '/opt/microsoft/omsagent/bin/service_control restart' if linux else 'Restart-Service HealthService'
            } on {finding.name}, and wait fifteen minutes.",
            RETIRED,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AdviseFailedToEnable(AdviceOnly):
    """Say what keeps the Update solution from being enabled.

    Effect: none; removing a worker's configuration needs the account's key.
    """

    id: ClassVar[str] = "advise-failed-to-enable-update-solution"
    fixes: ClassVar[FailureState] = FailureState.FAILED_TO_ENABLE_UPDATE_SOLUTION
    cloud: str = "public"
    """Whose endpoints a person is told."""

    def advise(self, finding: Finding, facts: Facts) -> tuple[str, ...]:
        named = _listed(finding, "computers")
        machines = ", ".join(named) or where(finding, facts)
        return (
            "the solution cannot be enabled before the machine reaches the service and is in the solution's scope",
            f"Concerned: {machines}. It says: {finding.evidence.get('text')}",
            *_reachable(self.cloud, facts, machines),
            (
                f"In {_name(facts.workspace)}, check that MicrosoftDefaultScopeConfig-Updates names it, and that "
                "the solution Updates is there."
            ),
            (
                "Then on the machine, with the URL and key of "
                f"{_name(facts.account)}: Remove-HybridRunbookWorker -Url <url> -Key <key> (Windows), or onboarding.py "
                "--deregister (Linux), and enable it again."
            ),
            RETIRED,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AdviseRegistrationForbidden(AdviceOnly):
    """Say what makes the service answer 403.

    Effect: none; keys, regions and gateways are chosen by people. A clock that is ahead is `clock-skew`.
    """

    id: ClassVar[str] = "advise-worker-registration-forbidden"
    fixes: ClassVar[FailureState] = FailureState.WORKER_REGISTRATION_FORBIDDEN

    def advise(self, finding: Finding, facts: Facts) -> tuple[str, ...]:
        place = where(finding, facts)
        return (
            "the service refuses its registration, for one of four reasons",
            f"Clock: on {place}, run w32tm /query /status (Linux: chronyc tracking); 15 minutes off is too much.",
            f"Workspace: its agent has to use the id {facts.workspace_guid} and a key of {_name(facts.workspace)}.",
            (
                f"Region: those of {_name(facts.workspace)} and {_name(facts.account)} have to be a pair that Azure "
                "supports for linking."
            ),
            (
                f"Gateway: where {finding.name} goes through a Log Analytics gateway, that has to allow the names "
                "of Azure Automation."
            ),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AdviseSignalrTimeout(AdviceOnly):
    """Say where the worker's channel for jobs has to be set up.

    Effect: none.
    """

    id: ClassVar[str] = "advise-worker-signalr-timeout"
    fixes: ClassVar[FailureState] = FailureState.WORKER_SIGNALR_TIMEOUT
    cloud: str = "public"
    """Whose endpoints a person is told."""

    def advise(self, finding: Finding, facts: Facts) -> tuple[str, ...]:
        return (
            "the channel that brings its jobs timed out while it was set up",
            (
                f"Check that {facts.workspace} is in the same subscription as {facts.account}: onboarding across "
                "subscriptions ends like this."
            ),
            *_reachable(self.cloud, facts, finding.name),
            f"Then Restart-Service HealthService on {where(finding, facts)}.",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AdviseWorkerJobLimit(AdviceOnly):
    """Say which schedules meet at one worker.

    Effect: none; when jobs run is decided by those who planned them.
    """

    id: ClassVar[str] = "advise-worker-job-limit-reached"
    fixes: ClassVar[FailureState] = FailureState.WORKER_JOB_LIMIT_REACHED

    def advise(self, finding: Finding, facts: Facts) -> tuple[str, ...]:
        deployments = ", ".join(_listed(finding, "deployments"))
        return (
            "one worker takes about four jobs in half a minute, and more were sent to it",
            (
                f"Move the start of {deployments} on {where(finding, facts)} away from other deployments and runbooks "
                "that start there in the same minute."
            ),
            "Or give those runbooks a hybrid worker group with more than one worker.",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AdviseLinuxWorkerConflict(AdviceOnly):
    """Say how the rests of an earlier worker are put away.

    Effect: none; the registration anew needs the account's key.
    """

    id: ClassVar[str] = "advise-linux-worker-conflict"
    fixes: ClassVar[FailureState] = FailureState.LINUX_WORKER_CONFLICT
    files: tuple[str, ...] = field(default=("worker.conf", "worker_diy.crt", "worker_diy.key"))
    """What an earlier worker leaves behind."""

    def advise(self, finding: Finding, facts: Facts) -> tuple[str, ...]:
        state = "/home/nxautomation/state"
        moved = "; ".join(f"sudo mv -f {state}/{file} {state}/{file}_old" for file in self.files)
        return (
            "the state of an earlier worker is left on it",
            f"On {where(finding, facts)}, as root: sh onboard_agent.sh --purge, with the agent's own script.",
            f"Then: {moved}",
            f"Then onboard it to {_name(facts.workspace)} ({facts.workspace_guid}) again.",
            RETIRED,
        )
