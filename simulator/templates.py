"""Bodies of Resource Manager documents, in the form in which Azure gives them; rows of logs are in `rows.py`.

Pure functions: a value in, a new document out. No two documents share a list or an object, so that a server may edit
one in place.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from model.documents import Document, Json
from model.times import format_duration

LOCATION: Final = "westeurope"
NEVER: Final = "9999-12-31T23:59:59.9999999+00:00"
NO_WORKER_GROUP: Final = (
    "Failed to start the runbook. Check the parameters passed. RunbookName Patch-MicrosoftOMSComputer. Exception You "
    "have requested to create a runbook job on a hybrid worker group that does not exist."
)
"""What a machine run says when the identity that the deployment remembers is not registered any more."""


def arm_time(when: datetime) -> str:
    """Seven fractional digits and an offset, as Automation writes times."""
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f0+00:00")


@dataclass(frozen=True, slots=True, kw_only=True)
class Vm:
    """A virtual machine and the agent inside it, as far as documents and rows tell."""

    id: str
    """Resource id in Azure's spelling."""
    computer: str
    """What the agent calls its machine: an FQDN in a domain, else the short name."""
    vm_id: str
    source_id: str
    """The agent's identity at present."""
    os: str
    """`Windows` or `Linux`."""
    ip: str
    """Public address."""
    vmuuid: str
    """The VM's own id as the guest reports it; some Linux distributions swap the first three groups."""
    running: bool = True
    os_name: str = ""
    """What the agent calls its operating system, where it is not the usual one."""
    tags: Mapping[str, str] = field(default_factory=dict)
    started: datetime | None = None
    """When it was started last, where the instance view says so."""

    @property
    def key(self) -> str:
        return self.id.lower()

    @property
    def name(self) -> str:
        return self.id.rsplit("/", 1)[1]


def virtual_machine(vm: Vm) -> Document:
    windows = vm.os == "Windows"
    power = ("PowerState/running", "VM running") if vm.running else ("PowerState/deallocated", "VM deallocated")
    short = vm.computer.split(".", 1)[0]
    provisioned: Document = {
        "code": "ProvisioningState/succeeded",
        "level": "Info",
        "displayStatus": "Provisioning succeeded",
    }
    if vm.started:
        provisioned["time"] = arm_time(vm.started)
    instance_view: Document = {
        "computerName": short,
        "osName": "Windows Server 2019 Datacenter" if windows else "ubuntu",
        "osVersion": "10.0.17763.5458" if windows else "20.04",
        "statuses": [
            provisioned,
            {"code": power[0], "level": "Info", "displayStatus": power[1]},
        ],
        "vmAgent": {
            "vmAgentVersion": "2.7.41491.1102" if windows else "2.9.1.1",
            "statuses": [
                {"code": "ProvisioningState/succeeded", "level": "Info", "displayStatus": "Ready"}
                if vm.running
                else {"code": "ProvisioningState/Unavailable", "level": "Warning", "displayStatus": "Not Ready"}
            ],
        },
    }
    return {
        "id": vm.id,
        "name": vm.name,
        "type": "Microsoft.Compute/virtualMachines",
        "location": LOCATION,
        "tags": dict(vm.tags),
        "properties": {
            "vmId": vm.vm_id,
            "provisioningState": "Succeeded",
            "hardwareProfile": {"vmSize": "Standard_D2s_v5"},
            "storageProfile": {"osDisk": {"osType": vm.os, "name": f"{vm.name}-os", "createOption": "FromImage"}},
            "osProfile": {
                "computerName": short,
                "adminUsername": "ops",
                "windowsConfiguration" if windows else "linuxConfiguration": {"provisionVMAgent": True},
            },
            "instanceView": instance_view,
        },
    }


def arc_machine(vm: Vm, *, connected: bool, changed: datetime) -> Document:
    """A machine outside Azure, seen through the agent of Azure Arc; `changed` is when its connection last did."""
    return {
        "id": vm.id,
        "name": vm.name,
        "type": "Microsoft.HybridCompute/machines",
        "location": LOCATION,
        "tags": dict(vm.tags),
        "properties": {
            "status": "Connected" if connected else "Disconnected",
            "lastStatusChange": arm_time(changed),
            "osType": vm.os.lower(),
            "osName": vm.os.lower(),
            "vmUuid": vm.vm_id,
            "displayName": vm.computer,
            "machineFqdn": vm.computer,
            "provisioningState": "Succeeded",
        },
    }


def worker_group(account: str, name: str, kind: str) -> Document:
    return {
        "id": f"{account}/hybridRunbookWorkerGroups/{name}",
        "name": name,
        "type": "Microsoft.Automation/AutomationAccounts/HybridRunbookWorkerGroups",
        "location": LOCATION,
        "properties": {"groupType": kind, "credential": None},
    }


def worker(account: str, group: str, worker_id: str, vm: Vm, *, registered: datetime, seen: datetime) -> Document:
    return {
        "id": f"{account}/hybridRunbookWorkerGroups/{group}/hybridRunbookWorkers/{worker_id}",
        "name": worker_id,
        "type": "Microsoft.Automation/AutomationAccounts/HybridRunbookWorkerGroups/HybridRunbookWorkers",
        "location": LOCATION,
        "properties": {
            "ip": "10.0.0.4",
            "registeredDateTime": arm_time(registered),
            "lastSeenDateTime": arm_time(seen),
            "vmResourceId": vm.id,
            "workerType": "HybridV1",
            "workerName": vm.computer,
        },
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """When a deployment runs. `every` is `OneTime`, `Day`, `Week` or `Month`."""

    every: str
    next_run: datetime
    duration: timedelta
    enabled: bool = True

    def run(self, back: int) -> datetime:
        """The start of the run `back` runs before the next one."""
        match self.every:
            case "Day":
                return self.next_run - timedelta(days=back)
            case "Week":
                return self.next_run - timedelta(weeks=back)
            case "Month":
                # Months differ in length; no schedule here starts after the 28th.
                months = self.next_run.year * 12 + self.next_run.month - 1 - back
                return self.next_run.replace(year=months // 12, month=months % 12 + 1)
            case _:
                return self.next_run


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a deployment installs and does, where it is not the usual."""

    packages: str = "Critical, Security, Other"
    """Classifications of Linux packages."""
    excluded: tuple[str, ...] = ()
    """Masks of Linux packages that are left out."""
    reboot: str = "IfRequired"


def deployment(
    account: str,
    name: str,
    operating_system: str,
    vms: Sequence[Vm],
    schedule: Schedule,
    *,
    created: datetime,
    modified: datetime,
    query_scopes: Sequence[str] = (),
    options: Options | None = None,
) -> Document:
    """A software update configuration; `scheduleInfo` as a GET of one gives it."""
    options = options or Options()
    windows: Document = {
        "includedUpdateClassifications": "Critical, Security, UpdateRollup",
        "excludedKbNumbers": [],
        "includedKbNumbers": [],
        "rebootSetting": options.reboot,
    }
    linux: Document = {
        "includedPackageClassifications": options.packages,
        "excludedPackageNameMasks": list(options.excluded),
        "includedPackageNameMasks": [],
        "rebootSetting": "IfRequired",
    }
    machines: list[Json] = [vm.id for vm in vms]
    queries: list[Json] = [
        {
            "scope": [scope],
            "locations": [LOCATION],
            "tagSettings": {"tags": {"patch": ["yes"]}, "filterOperator": "All"},
        }
        for scope in query_scopes
    ]
    is_windows = operating_system == "Windows"
    # A one-time schedule starts when it runs; a recurring one began some time after it was made.
    start = schedule.next_run if schedule.every == "OneTime" else _first_run(schedule, created)
    return {
        "id": f"{account}/softwareUpdateConfigurations/{name}",
        "name": name,
        "type": "Microsoft.Automation/automationAccounts/softwareUpdateConfigurations",
        "properties": {
            "updateConfiguration": {
                "operatingSystem": operating_system,
                "windows": windows if is_windows else None,
                "linux": None if is_windows else linux,
                "targets": {"azureQueries": queries or None, "nonAzureQueries": None},
                "duration": format_duration(schedule.duration),
                "azureVirtualMachines": machines,
                "nonAzureComputerNames": [],
            },
            "scheduleInfo": {
                "description": "",
                "startTime": arm_time(start),
                "startTimeOffsetMinutes": 0,
                "expiryTime": NEVER,
                "expiryTimeOffsetMinutes": 0,
                "isEnabled": schedule.enabled,
                "nextRun": arm_time(schedule.next_run),
                "nextRunOffsetMinutes": 0,
                "interval": None if schedule.every == "OneTime" else 1,
                "frequency": schedule.every,
                "timeZone": "Etc/UTC",
                "advancedSchedule": None,
                "creationTime": arm_time(created),
                "lastModifiedTime": arm_time(modified),
            },
            "tasks": {"preTask": None, "postTask": None},
            "provisioningState": "Succeeded",
            "createdBy": "ops@fabrikam.com",
            "error": None,
            "creationTime": arm_time(created),
            "lastModifiedBy": "",
            "lastModifiedTime": arm_time(modified),
        },
    }


def _first_run(schedule: Schedule, created: datetime) -> datetime:
    """The earliest run after the deployment was made."""
    back = 0
    while schedule.run(back + 1) > created:
        back += 1
    return schedule.run(back)


def update_run(
    account: str, run_id: str, name: str, operating_system: str, *, status: str, start: datetime, end: datetime,
    duration: timedelta, machines: int, failed: int,
) -> Document:  # fmt: skip
    return {
        "id": f"{account}/softwareUpdateConfigurationRuns/{run_id}",
        "name": run_id,
        "type": "Microsoft.Automation/automationAccounts/softwareUpdateConfigurationRuns",
        "properties": {
            "softwareUpdateConfiguration": {"name": name},
            "status": status,
            "configuredDuration": format_duration(duration),
            "osType": operating_system,
            "startTime": arm_time(start),
            "endTime": arm_time(end),
            "computerCount": machines,
            "failedCount": failed,
            "tasks": {"preTask": None, "postTask": None},
            "creationTime": arm_time(start),
            "createdBy": "",
            "lastModifiedBy": "",
            "lastModifiedTime": arm_time(end),
        },
    }


def machine_run(
    account: str, machine_run_id: str, run_id: str, name: str, vm: Vm, *, job_id: str, status: str, source_id: str,
    start: datetime, end: datetime, duration: timedelta, error: str = "",
) -> Document:  # fmt: skip
    started = status != "FailedToStart"
    text = error or ("" if started else NO_WORKER_GROUP)
    said: Document | None = {"code": None, "message": text} if text else None
    return {
        "id": f"{account}/softwareUpdateConfigurationMachineRuns/{machine_run_id}",
        "name": machine_run_id,
        "type": "Microsoft.Automation/automationAccounts/softwareUpdateConfigurationMachineRuns",
        "properties": {
            "targetComputer": vm.id,
            "targetComputerType": "AzureVirtualMachines",
            "softwareUpdateConfiguration": {"name": name},
            "status": status,
            "osType": vm.os,
            "correlationId": run_id,
            "sourceComputerId": source_id,
            "startTime": arm_time(start),
            "endTime": arm_time(end),
            "configuredDuration": format_duration(duration),
            "job": {"id": job_id} if started else None,
            "error": said,
            "creationTime": arm_time(start),
            "createdBy": "",
            "lastModifiedBy": "",
            "lastModifiedTime": arm_time(end),
        },
    }


def job(
    account: str, job_id: str, runbook: str, *, status: str, start: datetime, end: datetime, output: str
) -> Document:
    """A job of the account; `output` is what the service gives for it separately, as plain text."""
    return {
        "id": f"{account}/jobs/{job_id}",
        "name": job_id,
        "type": "Microsoft.Automation/AutomationAccounts/Jobs",
        "properties": {
            "jobId": job_id,
            "runbook": {"name": runbook},
            "provisioningState": "Succeeded",
            "status": status,
            "creationTime": arm_time(start),
            "startTime": arm_time(start),
            "endTime": arm_time(end),
            "lastModifiedTime": arm_time(end),
        },
        "output": output,
    }


def agent_extension(vm: Vm, kind: str, workspace_guid: str, *, name: str = "", publisher: str = "") -> Document:
    """The extension that put an agent onto a VM; `kind` is `MicrosoftMonitoringAgent`, `OmsAgentForLinux` or newer."""
    return {
        "id": f"{vm.id}/extensions/{name or kind}",
        "name": name or kind,
        "type": "Microsoft.Compute/virtualMachines/extensions",
        "location": LOCATION,
        "properties": {
            "publisher": publisher or "Microsoft.EnterpriseCloud.Monitoring",
            "type": kind,
            "typeHandlerVersion": "1.0",
            "autoUpgradeMinorVersion": True,
            "settings": {"workspaceId": workspace_guid} if workspace_guid else {},
            "provisioningState": "Succeeded",
        },
    }


def change(vm: Vm, change_id: str, when: datetime, kind: str, before: Mapping[str, str]) -> Document:
    """What Resource Graph keeps of a change: `kind` is `Create` or `Update`, `before` the values by their paths."""
    changes: Document = {
        path: {"previousValue": value, "newValue": None, "changeCategory": "User", "propertyChangeType": "Update"}
        for path, value in before.items()
    }
    return {
        "id": f"{vm.id}/providers/Microsoft.Resources/changes/{change_id}",
        "name": change_id,
        "type": "Microsoft.Resources/changes",
        "properties": {
            "targetResourceId": vm.id,
            "targetResourceType": "Microsoft.Compute/virtualMachines",
            "changeType": kind,
            "changeAttributes": {"timestamp": arm_time(when), "changesCount": len(before)},
            "changes": changes,
        },
    }


def provider(subscription: str, namespace: str, state: str) -> Document:
    return {
        "id": f"/subscriptions/{subscription}/providers/{namespace}",
        "type": "Microsoft.Resources/providers",
        "namespace": namespace,
        "registrationPolicy": "RegistrationRequired",
        "registrationState": state,
        "resourceTypes": [],
    }


def subscription(guid: str, name: str, tenant: str) -> Document:
    return {
        "id": f"/subscriptions/{guid}",
        "type": "Microsoft.Resources/subscriptions",
        "subscriptionId": guid,
        "displayName": name,
        "state": "Enabled",
        "tenantId": tenant,
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """How the workspace is, and how account and solution hang together with it."""

    ingestion: str = "RespectQuota"
    quota_gb: float = -1.0
    account_links: bool = True
    workspace_links: bool = True
    has_solution: bool = True
    pack_enabled: bool = True


def automation_account(account: str, workspace: str, condition: Condition) -> list[Document]:
    """The account and its link to the workspace."""
    return [
        {
            "id": account,
            "name": account.rsplit("/", 1)[1],
            "type": "Microsoft.Automation/AutomationAccounts",
            "location": LOCATION,
            "properties": {"state": "Ok", "sku": {"name": "Basic"}},
        },
        {
            "id": f"{account}/linkedWorkspace",
            "type": "Microsoft.Automation/automationAccounts/linkedWorkspace",
            "linkedWorkspaceId": workspace if condition.account_links else "",
        },
    ]


def log_workspace(
    workspace: str,
    guid: str,
    account: str,
    *,
    in_scope: Sequence[str],
    quota_reset: datetime,
    etag: str,
    condition: Condition,
) -> list[Document]:
    """The workspace with its link to the account, the Updates solution, and the saved search that is its scope."""
    name = workspace.rsplit("/", 1)[1]
    members = ", ".join(f'"{vmuuid}"' for vmuuid in in_scope)
    documents: list[Document] = [
        {
            "id": workspace,
            "name": name,
            "type": "Microsoft.OperationalInsights/workspaces",
            "location": LOCATION,
            "properties": {
                "customerId": guid,
                "provisioningState": "Succeeded",
                "sku": {"name": "PerGB2018"},
                "retentionInDays": 31,
                "workspaceCapping": {
                    "dailyQuotaGb": condition.quota_gb,
                    "quotaNextResetTime": arm_time(quota_reset),
                    "dataIngestionStatus": condition.ingestion,
                },
            },
        },
        {
            "id": f"{workspace}/intelligencePacks/Updates",
            "type": "Microsoft.OperationalInsights/workspaces/intelligencePacks",
            "name": "Updates",
            "enabled": condition.pack_enabled,
            "displayName": "Update Management",
        },
        {
            "id": f"{workspace}/savedSearches/updates|microsoftdefaultcomputergroup",
            "name": "updates|microsoftdefaultcomputergroup",
            "type": "Microsoft.OperationalInsights/savedSearches",
            "etag": etag,
            "properties": {
                "category": "Updates",
                "displayName": "MicrosoftDefaultComputerGroup",
                "query": f'Heartbeat | where Computer in~ ("") or VMUUID in~ ({members or '""'}) | distinct Computer',
                "functionAlias": "Updates__MicrosoftDefaultComputerGroup",
                "version": 2,
                "tags": [{"name": "Group", "value": "Computer"}],
            },
        },
    ]
    if condition.workspace_links:
        documents.append(
            {
                "id": f"{workspace}/linkedServices/Automation",
                "name": f"{name}/Automation",
                "type": "Microsoft.OperationalInsights/workspaces/linkedServices",
                "properties": {"resourceId": account, "provisioningState": "Succeeded"},
            }
        )
    if condition.has_solution:
        documents.append(
            {
                "id": f"{workspace.split('/providers/', 1)[0]}/providers/Microsoft.OperationsManagement/solutions/"
                f"Updates({name})",
                "name": f"Updates({name})",
                "type": "Microsoft.OperationsManagement/solutions",
                "location": LOCATION,
                "plan": {
                    "name": "Updates",
                    "product": "OMSGallery/Updates",
                    "publisher": "Microsoft",
                    "promotionCode": "",
                },
                "properties": {"workspaceResourceId": workspace, "provisioningState": "Succeeded"},
            }
        )
    return documents
