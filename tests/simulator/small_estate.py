"""A small estate for the tests of the simulator: a case names what it is about, the rest is ordinary."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Final

from model.documents import Document, Json
from model.times import format_time
from simulator.fleet import Fleet

NOW: Final = datetime(2026, 3, 10, 6, 0, tzinfo=UTC)
SUBSCRIPTION: Final = "11111111-2222-4333-8444-555555555555"
OTHER_SUBSCRIPTION: Final = "22222222-2222-4333-8444-555555555555"
RG: Final = "rg-automation"
ACCOUNT: Final = (
    f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{RG}/providers/Microsoft.Automation/automationAccounts/aa"
)
WORKSPACE: Final = (
    f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{RG}/providers/Microsoft.OperationalInsights/workspaces/law"
)
WORKSPACE_GUID: Final = "77777777-0000-4000-8000-000000000001"
SEARCH: Final = "updates|microsoftdefaultcomputergroup"


def guid(seed: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_DNS, seed))


def vm_id(name: str) -> str:
    return f"/subscriptions/{SUBSCRIPTION}/resourceGroups/RG-Web/providers/Microsoft.Compute/virtualMachines/{name}"


def arc_id(name: str) -> str:
    return f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-arc/providers/Microsoft.HybridCompute/machines/{name}"


class SmallEstate:
    """Collects documents and rows; `fleet()` is the estate."""

    def __init__(self) -> None:
        self.documents: list[Document] = [
            _subscription(SUBSCRIPTION),
            _subscription(OTHER_SUBSCRIPTION),
            {
                "id": ACCOUNT,
                "name": "aa",
                "type": "Microsoft.Automation/automationAccounts",
                "location": "westeurope",
                "properties": {"state": "Ok"},
            },
            {
                "id": WORKSPACE,
                "name": "law",
                "type": "Microsoft.OperationalInsights/workspaces",
                "location": "westeurope",
                "properties": {"customerId": WORKSPACE_GUID, "workspaceCapping": {"dailyQuotaGb": -1.0}},
            },
        ]
        self.logs: dict[str, list[Document]] = {}
        self.guests: dict[str, Document] = {}

    def vm(
        self, name: str, *, identity: str = "", os: str = "Windows", power: str = "running", **tags: str
    ) -> SmallEstate:
        """A VM that beats every ten minutes for the last hour, if it runs."""
        self.documents.append(
            {
                "id": vm_id(name),
                "name": name,
                "type": "Microsoft.Compute/virtualMachines",
                "location": "westeurope",
                "tags": dict(tags),
                "properties": {
                    "vmId": guid(f"vm/{name}"),
                    "storageProfile": {"osDisk": {"osType": os}},
                    "instanceView": {
                        "computerName": name,
                        "statuses": [
                            {"code": "ProvisioningState/succeeded"},
                            {"code": f"PowerState/{power}", "displayStatus": f"VM {power}"},
                        ],
                        "vmAgent": {"statuses": [{"code": "ProvisioningState/succeeded"}]},
                    },
                },
            }
        )
        if power == "running":
            self.beats(name, identity or guid(f"agent/{name}"), since=NOW - timedelta(hours=1), os=os)
        return self

    def beats(
        self,
        name: str,
        identity: str,
        *,
        since: datetime,
        until: datetime = NOW,
        os: str = "Windows",
        category: str = "Direct Agent",
    ) -> SmallEstate:
        at = since
        while at < until:
            self.row(
                "Heartbeat",
                at,
                Computer=f"{name}.contoso.com",
                SourceComputerId=identity,
                ResourceId=vm_id(name).lower(),
                _ResourceId=vm_id(name).lower(),
                Category=category,
                OSType=os,
                Solutions='"security", "updates"',
            )
            at += timedelta(minutes=10)
        return self

    def arc(self, name: str, status: str = "Connected") -> SmallEstate:
        self.documents.append(
            {
                "id": arc_id(name),
                "name": name,
                "type": "Microsoft.HybridCompute/machines",
                "location": "westeurope",
                "properties": {"status": status, "osType": "windows", "vmUuid": guid(name)},
            }
        )
        return self

    def row(self, table: str, at: datetime, **columns: Json) -> SmallEstate:
        self.logs.setdefault(table, []).append({"TimeGenerated": format_time(at), **columns})
        return self

    def deployment(self, name: str, *machines: str, duration: str = "PT2H", **differences: Json) -> SmallEstate:
        """Weekly, next in three days, two hours, named VMs; `differences` replace fields of the schedule."""
        self.documents.append(
            {
                **deployment_body(*machines, duration=duration, **differences),
                **_named("softwareUpdateConfigurations", name),
            }
        )
        return self

    def run(
        self, deployment: str, machine: str, status: str, *, identity: str, at: datetime, window: str = "PT2H"
    ) -> SmallEstate:
        """A run of one machine, and the machine's part in it."""
        run_id = guid(f"{deployment}/{at}")
        common: Document = {
            "softwareUpdateConfiguration": {"name": deployment},
            "status": status,
            "configuredDuration": window,
            "osType": "Windows",
            "startTime": format_time(at),
        }
        self.documents.append({**_named("softwareUpdateConfigurationRuns", run_id), "properties": dict(common)})
        part: Document = {"targetComputer": vm_id(machine), "correlationId": run_id, "sourceComputerId": identity}
        self.documents.append(
            {
                **_named("softwareUpdateConfigurationMachineRuns", guid(f"{run_id}/{machine}")),
                "properties": {**common, **part},
            }
        )
        return self

    def system_worker(self, machine: str) -> SmallEstate:
        """The machine beats, and the account has a worker group for its identity."""
        identity = guid(f"agent/{machine}")
        self.beats(machine, identity, since=NOW - timedelta(days=1))
        held = _named("hybridRunbookWorkerGroups", f"{machine}_{identity}")
        kind = "Microsoft.Automation/AutomationAccounts/HybridRunbookWorkerGroups"
        self.documents.append({**held, "type": kind, "properties": {"groupType": "System"}})
        return self

    def user_worker(self, group: str, machine: str) -> SmallEstate:
        held = _named("hybridRunbookWorkerGroups", group)
        kind = "Microsoft.Automation/AutomationAccounts/HybridRunbookWorkerGroups"
        self.documents.append({**held, "type": kind, "properties": {"groupType": "User"}})
        self.documents.append(
            {
                "id": f"{held['id']}/hybridRunbookWorkers/{guid(machine)}",
                "name": guid(machine),
                "type": f"{kind}/HybridRunbookWorkers",
                "properties": {
                    "vmResourceId": vm_id(machine),
                    "workerName": machine,
                    "lastSeenDateTime": "2026-03-10T05:40:00.0000000+00:00",
                },
            }
        )
        return self

    def saved_search(self, query: str) -> SmallEstate:
        self.documents.append(
            {
                "id": f"{WORKSPACE}/savedSearches/{SEARCH}",
                "name": SEARCH,
                "type": "Microsoft.OperationalInsights/savedSearches",
                "etag": "W/\"datetime'2026-02-01T00%3A00%3A00Z'\"",
                "properties": {"category": "Updates", "displayName": "Scope", "query": query, "version": 2},
            }
        )
        return self

    def provider(self, subscription: str, state: str, namespace: str = "Microsoft.Automation") -> SmallEstate:
        self.documents.append(
            {
                "id": f"/subscriptions/{subscription}/providers/{namespace}",
                "type": "Microsoft.Resources/providers",
                "namespace": namespace,
                "registrationState": state,
                "resourceTypes": [],
            }
        )
        return self

    def guest(self, machine: str, **inside: Json) -> SmallEstate:
        self.guests[vm_id(machine)] = dict(inside)
        return self

    def fleet(self) -> Fleet:
        return Fleet(
            now=NOW,
            subscriptions=(SUBSCRIPTION, OTHER_SUBSCRIPTION),
            account=ACCOUNT,
            workspace=WORKSPACE,
            documents=self.documents,
            logs=self.logs,
            guests=self.guests,
        )


def deployment_body(*machines: str, duration: str = "PT2H", **schedule: Json) -> Document:
    """What a PUT of an ordinary deployment sends."""
    machine_ids: list[Json] = [vm_id(machine) for machine in machines]
    return {
        "properties": {
            "updateConfiguration": {
                "operatingSystem": "Windows",
                "windows": {"includedUpdateClassifications": "Security, Critical", "rebootSetting": "IfRequired"},
                "duration": duration,
                "azureVirtualMachines": machine_ids,
            },
            "scheduleInfo": {
                "startTime": format_time(NOW + timedelta(days=3)),
                "frequency": "Week",
                "interval": 1,
                "timeZone": "Etc/UTC",
                "isEnabled": True,
                **schedule,
            },
        }
    }


def _subscription(guid_: str) -> Document:
    return {
        "id": f"/subscriptions/{guid_}",
        "type": "Microsoft.Resources/subscriptions",
        "subscriptionId": guid_,
        "state": "Enabled",
    }


def _named(kind: str, name: str) -> Document:
    return {"id": f"{ACCOUNT}/{kind}/{name}", "name": name, "type": f"Microsoft.Automation/automationAccounts/{kind}"}
