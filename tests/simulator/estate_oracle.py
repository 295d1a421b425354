"""What a generated estate suffers from, read straight from its documents and rows.

Nothing here knows how the generator works, and nothing is shared with the detectors: plain loops over everything,
which an estate of a few dozen machines can afford.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from simulator.fleet import Fleet

# JSON from Azure is as deep as it is loose; the oracle walks it by plain indexing.
type Body = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    found: dict[tuple[str, str], str]
    """State and target to what should follow: `plan` or `advice`."""
    spared: frozenset[tuple[str, str]]


def told(fleet: Fleet) -> Truth:
    """What the fleet says of itself."""
    truth: Body = dict(fleet.truth or {})
    return Truth(
        found={(each["state"], each["target"]): each["then"] for each in truth["found"]},
        spared=frozenset((each["state"], each["target"]) for each in truth["notFound"]),
    )


def when(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


class Estate:
    def __init__(self, fleet: Fleet) -> None:
        self.fleet, self.now = fleet, fleet.now
        self.by_type: dict[str, list[Body]] = defaultdict(list)
        for document in fleet.documents:
            self.by_type[str(document["type"]).lower().rsplit("/", 1)[1]].append(document)
        self.machines = {vm["id"].lower(): vm for vm in self.by_type["virtualmachines"]}
        self.deployments = self.by_type["softwareupdateconfigurations"]
        self.machine_runs = self.by_type["softwareupdateconfigurationmachineruns"]

    def rows(self, table: str) -> Iterable[Body]:
        return self.fleet.logs.get(table, ())

    def beats(self) -> list[Body]:
        """Of the agent that Update Management has."""
        return [row for row in self.rows("Heartbeat") if row["Category"] == "Direct Agent"]

    def runs_of(self, deployment: Body) -> list[Body]:
        """Oldest first."""
        mine = [
            run
            for run in self.by_type["softwareupdateconfigurationruns"]
            if run["properties"]["softwareUpdateConfiguration"]["name"] == deployment["name"]
        ]
        return sorted(mine, key=lambda run: str(run["properties"]["startTime"]))

    def is_live(self, deployment: Body) -> bool:
        schedule = deployment["properties"]["scheduleInfo"]
        return bool(schedule["isEnabled"]) and schedule["frequency"] != "OneTime"

    def names(self, deployment: Body) -> list[str]:
        return [vm.lower() for vm in deployment["properties"]["updateConfiguration"]["azureVirtualMachines"]]

    def next_run(self, deployment: Body) -> datetime:
        return when(deployment["properties"]["scheduleInfo"]["nextRun"])

    def source_id_changed(self) -> dict[str, str]:
        """Failed to start in the newest run under an identity that it had once and has no more."""
        history: Mapping[str, list[str]] = defaultdict(list)
        for row in self.beats():
            history[row["_ResourceId"]].append(row["SourceComputerId"])
        found: dict[str, str] = {}
        for deployment in self.deployments:
            if not self.is_live(deployment) or not (runs := self.runs_of(deployment)):
                continue
            for run in self.machine_runs:
                parts = run["properties"]
                target, was = parts["targetComputer"].lower(), parts["sourceComputerId"]
                if (
                    parts["correlationId"] != runs[-1]["name"]
                    or parts["status"] != "FailedToStart"
                    or was == history[target][-1]
                    or was not in history[target]
                ):
                    continue
                naming = [each for each in self.deployments if target in self.names(each) and self.is_live(each)]
                margin = min(self.next_run(each) for each in naming) - self.now
                alone = any(self.names(each) == [target] for each in naming)
                found[target] = "advice" if alone or margin < timedelta(minutes=15) else "plan"
        return found

    def vms_stopped(self) -> dict[str, str]:
        """Failed to start in the newest run of a live deployment, and does not run; nobody tagged it to be started."""
        off = {
            id_
            for id_, vm in self.machines.items()
            if "PowerState/running" not in [s["code"] for s in vm["properties"]["instanceView"]["statuses"]]
        }
        newest = {runs[-1]["name"] for each in self.deployments if self.is_live(each) and (runs := self.runs_of(each))}
        return {
            target: "advice"
            for run in self.machine_runs
            if run["properties"]["status"] == "FailedToStart" and run["properties"]["correlationId"] in newest
            and (target := run["properties"]["targetComputer"].lower()) in off
        }  # fmt: skip

    def cloned_machines(self) -> dict[str, str]:
        """One identity, several machines, all of them beating within the last hour."""
        sharers: Mapping[str, set[str]] = defaultdict(set)
        for row in self.beats():
            if self.now - when(row["TimeGenerated"]) < timedelta(hours=1):
                sharers[row["SourceComputerId"]].add(row["_ResourceId"])
        people = {group["name"] for group in self.by_type["hybridrunbookworkergroups"]
                  if group["properties"]["groupType"] == "User"}  # fmt: skip
        kept = {worker["properties"]["vmResourceId"].lower() for worker in self.by_type["hybridrunbookworkers"]
                if worker["id"].split("/")[10] in people}  # fmt: skip
        return {
            machine: "advice" if machine in kept else "plan"
            for machines in sharers.values()
            for machine in machines
            if len(machines) > 1
        }

    def windows_exceeded(self) -> dict[str, str]:
        """The newest run of a live deployment exceeded the present window, and no update failed in it."""
        broken = {row["CorrelationId"] for row in self.rows("UpdateRunProgress") if row["ErrorResult"]}
        found: dict[str, str] = {}
        for deployment in self.deployments:
            if not self.is_live(deployment) or not (runs := self.runs_of(deployment)):
                continue
            window = deployment["properties"]["updateConfiguration"]["duration"]
            newest = runs[-1]
            if (
                newest["properties"]["status"] != "MaintenanceWindowExceeded"
                or newest["properties"]["configuredDuration"] != window
                or newest["name"] in broken
            ):
                continue
            end = self.next_run(deployment) + timedelta(minutes=wider(minutes_of(window)))
            others = [
                each
                for each in self.deployments
                if each is not deployment
                and self.is_live(each)
                and set(self.names(each)) & set(self.names(deployment))
                and self.next_run(deployment) <= self.next_run(each) < end
            ]
            found[deployment["id"].lower()] = "advice" if window == "PT6H" or others else "plan"
        return found

    def update_agent_errors(self) -> dict[str, str]:
        """An update failed with a code in the newest run of its deployment; the only code there is needs a person."""
        newest: dict[tuple[str, str], Body] = {}
        for row in self.rows("UpdateRunProgress"):
            key = (row["_ResourceId"].lower(), row["UpdateRunName"])
            if key not in newest or when(row["TimeGenerated"]) > when(newest[key]["TimeGenerated"]):
                newest[key] = row
        return {
            row["_ResourceId"].lower(): "advice"
            for row in self.rows("UpdateRunProgress")
            if row["ErrorResult"] == "0x80244019"
            and row["CorrelationId"] == newest[row["_ResourceId"].lower(), row["UpdateRunName"]]["CorrelationId"]
        }

    def unregistered(self) -> dict[str, str]:
        return {
            provider["id"].lower().split("/providers/")[0]: "plan"
            for provider in self.by_type["providers"]
            if provider["namespace"] == "Microsoft.Automation"
            and provider["registrationState"] in {"NotRegistered", "Unregistered"}
        }

    def same_names(self) -> dict[str, str]:
        """Machines under whose computer name another one beats, which is not its clone."""
        newest: dict[str, Body] = {}
        for row in self.beats():
            if self.now - when(row["TimeGenerated"]) <= timedelta(hours=1) and row["_ResourceId"] in self.machines:
                newest[row["_ResourceId"]] = row
        bearers: dict[str, dict[str, str]] = defaultdict(dict)
        for id_, row in newest.items():
            bearers[row["Computer"].lower()][id_] = row["SourceComputerId"]
        return {id_: "advice" for each in bearers.values() if len(set(each.values())) > 1 for id_ in each}

    def across_tenants(self) -> dict[str, str]:
        """Deployments that name a machine whose subscription's owner let nobody in."""
        subscriptions = {each["subscriptionId"]: each for each in self.by_type["subscriptions"]}
        home = subscriptions[self.fleet.account.split("/")[2]]["tenantId"]
        strange = {
            guid
            for guid, each in subscriptions.items()
            if home not in {each["tenantId"], *(one["tenantId"] for one in each.get("managedByTenants", []))}
        }
        return {
            each["id"].lower(): "advice"
            for each in self.deployments
            if {name.split("/")[2] for name in self.names(each)} & strange
        }

    def complaining(self, text: str, then: str) -> dict[str, str]:
        """Machines whose agent wrote a text into its log since yesterday."""
        return {
            row["_ResourceId"]: then
            for row in self.rows("Event")
            if row["EventID"] == 4502
            and self.now - when(row["TimeGenerated"]) <= timedelta(days=1)
            and "HybridAgent: " in row["RenderedDescription"]
            and text in row["RenderedDescription"]
        }

    def found(self) -> dict[tuple[str, str], str]:
        return {
            (state, target): then
            for state, targets in (
                ("source-id-changed", self.source_id_changed()),
                ("vm-stopped", self.vms_stopped()),
                ("update-agent-error", self.update_agent_errors()),
                ("cloned-machine", self.cloned_machines()),
                ("maintenance-window-exceeded", self.windows_exceeded()),
                ("automation-rp-not-registered", self.unregistered()),
                ("duplicate-computer-name", self.same_names()),
                ("cross-tenant-linked-subscription", self.across_tenants()),
                ("machine-registered-to-different-account", self.complaining("different account", "advice")),
                ("machine-cannot-communicate", self.complaining("common algorithm", "plan")),
                ("machine-cannot-communicate", self.complaining("infinity", "advice")),
                ("selfsigned-cert-failure", self.complaining("self-signed", "plan")),
                ("hybrid-agent-event-4502", self.complaining("Object reference", "advice")),
            )
            for target, then in targets.items()
        }


def minutes_of(duration: str) -> int:
    hours, _, minutes = duration.removeprefix("PT").rpartition("H")
    return int(hours or 0) * 60 + int(minutes.removesuffix("M") or 0)


def wider(minutes: int) -> int:
    """The documented next size of a window: an hour more or half as much again, whole half hours, six hours at most."""
    return min(360, -(-max(minutes + 60, minutes * 3 // 2) // 30) * 30)
