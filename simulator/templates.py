"""Bodies of Resource Manager documents and rows of log tables, in the form in which Azure gives them.

Pure functions: a value in, a new document out. No two documents share a list or an object, so that a server may edit
one in place.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
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


def log_time(when: datetime) -> str:
    """Milliseconds and `Z`, as Log Analytics writes them."""
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


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
    instance_view: Document = {
        "computerName": short,
        "osName": "Windows Server 2019 Datacenter" if windows else "ubuntu",
        "osVersion": "10.0.17763.5458" if windows else "20.04",
        "statuses": [
            {"code": "ProvisioningState/succeeded", "level": "Info", "displayStatus": "Provisioning succeeded"},
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
        "tags": {},
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
) -> Document:
    """A software update configuration; `scheduleInfo` as a GET of one gives it."""
    windows: Document = {
        "includedUpdateClassifications": "Critical, Security, UpdateRollup",
        "excludedKbNumbers": [],
        "includedKbNumbers": [],
        "rebootSetting": "IfRequired",
    }
    linux: Document = {
        "includedPackageClassifications": "Critical, Security, Other",
        "excludedPackageNameMasks": [],
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
    start: datetime, end: datetime, duration: timedelta,
) -> Document:  # fmt: skip
    started = status != "FailedToStart"
    error: Document | None = None if started else {"code": None, "message": NO_WORKER_GROUP}
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
            "error": error,
            "creationTime": arm_time(start),
            "createdBy": "",
            "lastModifiedBy": "",
            "lastModifiedTime": arm_time(end),
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


def automation_account(account: str, workspace: str) -> list[Document]:
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
            "linkedWorkspaceId": workspace,
        },
    ]


def log_workspace(
    workspace: str, guid: str, account: str, *, in_scope: Sequence[str], quota_reset: datetime, etag: str
) -> list[Document]:
    """The workspace with its link to the account, the Updates solution, and the saved search that is its scope."""
    name = workspace.rsplit("/", 1)[1]
    members = ", ".join(f'"{vmuuid}"' for vmuuid in in_scope)
    return [
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
                    "dailyQuotaGb": -1.0,
                    "quotaNextResetTime": arm_time(quota_reset),
                    "dataIngestionStatus": "RespectQuota",
                },
            },
        },
        {
            "id": f"{workspace}/linkedServices/Automation",
            "name": f"{name}/Automation",
            "type": "Microsoft.OperationalInsights/workspaces/linkedServices",
            "properties": {"resourceId": account, "provisioningState": "Succeeded"},
        },
        {
            "id": f"{workspace}/intelligencePacks/Updates",
            "type": "Microsoft.OperationalInsights/workspaces/intelligencePacks",
            "name": "Updates",
            "enabled": True,
            "displayName": "Update Management",
        },
        {
            "id": f"{workspace.split('/providers/', 1)[0]}/providers/Microsoft.OperationsManagement/solutions/"
            f"Updates({name})",
            "name": f"Updates({name})",
            "type": "Microsoft.OperationsManagement/solutions",
            "location": LOCATION,
            "plan": {"name": "Updates", "product": "OMSGallery/Updates", "publisher": "Microsoft", "promotionCode": ""},
            "properties": {"workspaceResourceId": workspace, "provisioningState": "Succeeded"},
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


def _row(table: str, vm: Vm, source_id: str, when: datetime) -> Document:
    """The columns that every table of the agent has."""
    resource_id = vm.key
    parts = resource_id.split("/")
    return {
        "TimeGenerated": log_time(when),
        "Computer": vm.computer,
        "SourceComputerId": source_id,
        "ResourceId": resource_id,
        "_ResourceId": resource_id,
        "SubscriptionId": parts[2],
        "ResourceGroup": parts[4],
        "Resource": parts[8],
        "ResourceProvider": "Microsoft.Compute",
        "ResourceType": "virtualMachines",
        "VMUUID": vm.vmuuid,
        "ComputerEnvironment": "Azure",
        "Type": table,
    }


def heartbeat(vm: Vm, source_id: str, when: datetime, workspace_guid: str, *, new_agent: bool = False) -> Document:
    """One beat; `new_agent` is the Azure Monitor Agent, which never carries the `updates` solution."""
    windows = vm.os == "Windows"
    return _row("Heartbeat", vm, source_id, when) | {
        "OSType": vm.os,
        "Category": "Azure Monitor Agent" if new_agent else "Direct Agent",
        "OSName": "Windows Server 2019 Datacenter" if windows else "Ubuntu",
        "OSMajorVersion": "10" if windows else "20",
        "OSMinorVersion": "0",
        "Version": "1.24.0.0" if new_agent else "10.20.18069.0" if windows else "1.14.23-0",
        "ComputerIP": vm.ip,
        "Solutions": "" if new_agent else '"security", "changeTracking", "updates"',
        "SourceSystem": "OpsManager" if windows else "Linux",
        "SCAgentChannel": "Direct",
        "ManagementGroupName": f"AOI-{workspace_guid}",
        "TenantId": workspace_guid,
        "IsGatewayInstalled": False,
    }


def needed_update(vm: Vm, when: datetime, update_id: str, published: datetime) -> Document:
    windows = vm.os == "Windows"
    return _row("Update", vm, vm.source_id, when) | {
        "OSType": vm.os,
        "Title": "2026-02 Cumulative Update for Windows Server 2019" if windows else "openssl",
        "KBID": "5034768" if windows else "",
        "Classification": "Security Updates",
        "UpdateState": "Needed",
        "Approved": True,
        "ApprovalSource": "Microsoft Update",
        "Optional": False,
        "UpdateID": update_id,
        "Product": "Windows Server 2019" if windows else "openssl",
        "ProductArch": "",
        "PublishedDate": log_time(published),
    }


def update_summary(vm: Vm, when: datetime) -> Document:
    windows = vm.os == "Windows"
    return _row("UpdateSummary", vm, vm.source_id, when) | {
        "OsVersion": "10.0.17763" if windows else "20.04",
        "WindowsUpdateSetting": "Notify before installation" if windows else "",
        "WSUSServer": "",
        "RestartPending": False,
        "TotalUpdatesMissing": 1,
        "SecurityUpdatesMissing": 1,
        "CriticalUpdatesMissing": 0,
        "OtherUpdatesMissing": 0,
    }


def start_event(vm: Vm, when: datetime) -> Document:
    return _row("Event", vm, vm.source_id, when) | {
        "EventLog": "System",
        "EventID": 6005,
        "EventLevelName": "Information",
        "Source": "EventLog",
        "RenderedDescription": "The Event log service was started.",
    }


def agent_event(vm: Vm, when: datetime, log: str, event: int, text: str) -> Document:
    """What the machine's agent writes into one of its own logs."""
    return _row("Event", vm, vm.source_id, when) | {
        "EventLog": log,
        "EventID": event,
        "EventLevelName": "Error" if event in {4502, 15011} else "Information",
        "Source": "Health Service Modules" if log == "Operations Manager" else "Microsoft-SMA",
        "RenderedDescription": text,
    }


def operation(vm: Vm, when: datetime) -> Document:
    """What the workspace writes about itself when all is well."""
    return {
        "TimeGenerated": log_time(when),
        "Computer": vm.computer,
        "OperationCategory": "Data Collection Status",
        "OperationStatus": "Succeeded",
        "Detail": "Data collection resumed",
        "Solution": "LogManagement",
        "Type": "Operation",
    }


def update_progress(
    vm: Vm, when: datetime, run_id: str, name: str, *, update_id: str, kb: str, status: str, error: str = ""
) -> Document:
    return _row("UpdateRunProgress", vm, vm.source_id, when) | {
        "OSType": vm.os,
        "CorrelationId": run_id,
        "UpdateRunName": name,
        "UpdateId": update_id,
        "KBID": kb,
        "Title": f"KB{kb}",
        "InstallationStatus": status,
        "ErrorResult": error,
        "Product": "",
        "SucceededOnRetry": False,
    }
