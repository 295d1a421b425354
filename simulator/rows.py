"""Rows of log tables, in the form in which Log Analytics gives them. Pure functions: a value in, a new row out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from model.documents import Document
from simulator.templates import Vm

WITH_UPDATES: Final = '"security", "changeTracking", "updates"'
"""Solutions of an agent under Update Management."""
NOTIFY: Final = "Notify before installation"
SCHEDULED: Final = "Scheduled installation"
UNHEALTHY: Final = "Error returned from unhealthy WUA agent"
COLLECTION: Final = "Data Collection Status"
RESUMED: Final = "Data collection resumed"
OVER_QUOTA: Final = "Data collection stopped due to daily limit of free data reached. Ingestion status = OverQuota"


def log_time(when: datetime) -> str:
    """Milliseconds and `Z`, as Log Analytics writes them."""
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def _row(table: str, vm: Vm, source_id: str, when: datetime) -> Document:
    """The columns that every table of the agent has."""
    resource_id = vm.key
    parts = resource_id.split("/")
    outside = parts[6] == "microsoft.hybridcompute"
    return {
        "TimeGenerated": log_time(when),
        "Computer": vm.computer,
        "SourceComputerId": source_id,
        "ResourceId": resource_id,
        "_ResourceId": resource_id,
        "SubscriptionId": parts[2],
        "ResourceGroup": parts[4],
        "Resource": parts[8],
        "ResourceProvider": "Microsoft.HybridCompute" if outside else "Microsoft.Compute",
        "ResourceType": "machines" if outside else "virtualMachines",
        "VMUUID": vm.vmuuid,
        "ComputerEnvironment": "Non-Azure" if outside else "Azure",
        "Type": table,
    }


def heartbeat(
    vm: Vm,
    source_id: str,
    when: datetime,
    workspace_guid: str,
    *,
    new_agent: bool = False,
    solutions: str = WITH_UPDATES,
) -> Document:
    """One beat; `new_agent` is the Azure Monitor Agent, which never carries the `updates` solution."""
    windows = vm.os == "Windows"
    return _row("Heartbeat", vm, source_id, when) | {
        "OSType": vm.os,
        "Category": "Azure Monitor Agent" if new_agent else "Direct Agent",
        "OSName": vm.os_name or ("Windows Server 2019 Datacenter" if windows else "Ubuntu"),
        "OSMajorVersion": "10" if windows else "20",
        "OSMinorVersion": "0",
        "Version": "1.24.0.0" if new_agent else "10.20.18069.0" if windows else "1.14.23-0",
        "ComputerIP": vm.ip,
        "Solutions": "" if new_agent else solutions,
        "SourceSystem": "OpsManager" if windows else "Linux",
        "SCAgentChannel": "Direct",
        "ManagementGroupName": f"AOI-{workspace_guid}",
        "TenantId": workspace_guid,
        "IsGatewayInstalled": False,
    }


def without_updates(beat: Callable[[datetime], Document], when: datetime) -> Document:
    """A beat of an agent that lost the solution."""
    row = beat(when)
    return {**row, "Solutions": str(row["Solutions"]).removesuffix(', "updates"')}


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """An update or package, as a machine's assessment has it."""

    id: str
    title: str
    kb: str
    product: str
    published: datetime
    classification: str = "Security Updates"
    state: str = "Needed"
    approved: bool = True
    source: str = "Microsoft Update"


def update(vm: Vm, when: datetime, offer: Offer) -> Document:
    return _row("Update", vm, vm.source_id, when) | {
        "OSType": vm.os,
        "Title": offer.title,
        "KBID": offer.kb,
        "Classification": offer.classification,
        "UpdateState": offer.state,
        "Approved": offer.approved,
        "ApprovalSource": offer.source,
        "Optional": False,
        "UpdateID": offer.id,
        "Product": offer.product,
        "ProductArch": "",
        "PublishedDate": log_time(offer.published),
    }


def update_summary(vm: Vm, when: datetime, setting: str = NOTIFY, server: str = "") -> Document:
    windows = vm.os == "Windows"
    return _row("UpdateSummary", vm, vm.source_id, when) | {
        "OsVersion": "10.0.17763" if windows else "20.04",
        "WindowsUpdateSetting": setting if windows else "",
        "WSUSServer": server,
        "RestartPending": False,
        "TotalUpdatesMissing": 1,
        "SecurityUpdatesMissing": 1,
        "CriticalUpdatesMissing": 0,
        "OtherUpdatesMissing": 0,
    }


def system_event(vm: Vm, when: datetime, event: int, source: str, text: str) -> Document:
    """What the machine's System log says."""
    return _row("Event", vm, vm.source_id, when) | {
        "EventLog": "System",
        "EventID": event,
        "EventLevelName": "Information",
        "Source": source,
        "RenderedDescription": text,
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


def operation(
    computer: str, when: datetime, detail: str, *, status: str = "Succeeded", category: str = COLLECTION
) -> Document:
    """What the workspace writes about itself."""
    return {
        "TimeGenerated": log_time(when),
        "Computer": computer,
        "OperationCategory": category,
        "OperationStatus": status,
        "Detail": detail,
        "Solution": "LogManagement",
        "Type": "Operation",
    }


def update_progress(
    vm: Vm,
    when: datetime,
    run_id: str,
    name: str,
    *,
    update_id: str,
    kb: str,
    status: str,
    error: str = "",
    product: str = "",
) -> Document:
    return _row("UpdateRunProgress", vm, vm.source_id, when) | {
        "OSType": vm.os,
        "CorrelationId": run_id,
        "UpdateRunName": name,
        "UpdateId": update_id,
        "KBID": kb,
        "Title": product or f"KB{kb}",
        "InstallationStatus": status,
        "ErrorResult": error,
        "Product": product,
        "SucceededOnRetry": False,
    }
