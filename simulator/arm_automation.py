"""Microsoft.Automation, api-version 2024-10-23. Its errors are flat: `{"code", "message"}`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, timedelta
from typing import Final
from urllib.parse import urlencode

from model.documents import Document, Json, at, list_at, text_at
from model.facts import DEPLOYMENT_TYPE
from model.times import format_duration, parse_duration, parse_time
from simulator import odata
from simulator.deployments import document_at
from simulator.estate import Estate
from simulator.schedules import zone_of
from simulator.web import Answer, Call, Refused, Router
from simulator.wire import time_out

ACCOUNT: Final = (
    "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Automation/automationAccounts/{account}"
)
LEAST_AHEAD: Final = timedelta(minutes=10)
SHORTEST_WINDOW: Final = timedelta(minutes=30)
LONGEST_WINDOW: Final = timedelta(hours=6)
_FREQUENCIES: Final = {name.lower(): name for name in ("OneTime", "Day", "Hour", "Week", "Month", "Minute")}
_WINDOWS_CLASSES: Final = (
    *("Unclassified", "Critical", "Security", "UpdateRollup", "FeaturePack"),
    *("ServicePack", "Definition", "Tools", "Updates"),
)
_LINUX_CLASSES: Final = ("Unclassified", "Critical", "Security", "Other")
_SHORT: Final = ("id", "name", "properties")


class Automation:
    """One account's operations."""

    def __init__(self, estate: Estate) -> None:
        self.estate, self.resources, self.options = estate, estate.resources, estate.options
        self._provisioning: dict[str, int] = {}
        """Deployments just written, and how many looks have found them provisioning."""

    def routes(self, router: Router) -> None:
        suc = f"{ACCOUNT}/softwareUpdateConfigurations"
        groups = f"{ACCOUNT}/hybridRunbookWorkerGroups"
        router.add("GET", ACCOUNT, self.account)
        router.add("GET", suc, self.list_deployments)
        router.add("GET", f"{suc}/{{name}}", self.get_deployment)
        router.add("PUT", f"{suc}/{{name}}", self.put_deployment)
        router.add("DELETE", f"{suc}/{{name}}", self.delete_deployment)
        for kind in ("softwareUpdateConfigurationRuns", "softwareUpdateConfigurationMachineRuns"):
            router.add("GET", f"{ACCOUNT}/{kind}", self.list_runs)
            router.add("GET", f"{ACCOUNT}/{kind}/{{name}}", self.get_run)
        router.add("GET", groups, self.pager)
        router.add("GET", f"{groups}/{{name}}", self.get_member)
        router.add("DELETE", f"{groups}/{{name}}", self.delete_member)
        router.add("GET", f"{groups}/{{name}}/hybridRunbookWorkers", self.list_workers)
        router.add("GET", f"{groups}/{{name}}/hybridRunbookWorkers/{{worker}}", self.get_worker)
        router.add("DELETE", f"{groups}/{{name}}/hybridRunbookWorkers/{{worker}}", self.delete_member)
        router.add("GET", f"{ACCOUNT}/linkedWorkspace", self.linked_workspace)
        router.add("GET", f"{ACCOUNT}/jobs", self.pager)
        router.add("GET", f"{ACCOUNT}/jobs/{{name}}", self.get_member)
        router.add("GET", f"{ACCOUNT}/jobs/{{name}}/output", self.job_output)
        router.add("GET", f"{ACCOUNT}/jobs/{{name}}/streams", self.job_streams)
        router.add("GET", f"{ACCOUNT}/usages", lambda call, _: self._all(call))
        router.add("GET", f"{ACCOUNT}/statistics", lambda call, _: self._all(call))

    def account(self, call: Call, _: Mapping[str, str]) -> Answer:
        return Answer(body=self._found(call.path))

    def list_deployments(self, call: Call, _: Mapping[str, str]) -> Answer:
        """Collection items have no `scheduleInfo`, and the list no next link."""
        self._found(call.path.rpartition("/")[0])
        documents = self._filtered(call, self.resources.within(call.path))
        return Answer(body={"value": [_collection_item(document) for document in documents]})

    def get_deployment(self, call: Call, names: Mapping[str, str]) -> Answer:
        document = self._found(call.path, "Software update configuration")
        self._settle_provisioning(names["name"].lower(), document)
        return Answer(body=_only(document, *_SHORT, "type"))

    def put_deployment(self, call: Call, names: Mapping[str, str]) -> Answer:
        """The body replaces the whole configuration; what it leaves out is gone."""
        account_id = call.path.rsplit("/", 2)[0]
        account = self._found(account_id)
        before, name = self.resources.get(call.path), names["name"]
        after = self._accepted(call.json(), before)
        after |= {
            "id": str(before["id"]) if before else f"{account['id']}/softwareUpdateConfigurations/{name}",
            "name": text_at(before or {}, "name") or name,
            "type": DEPLOYMENT_TYPE,
        }
        self.resources.put(after)
        self.estate.deployments.adopt(before, after)
        self._provisioning[name.lower()] = 0
        location = f"{call.base}{after['id']}?{urlencode({'api-version': call.query['api-version']})}"
        return Answer(status=200 if before else 201, body=_only(after, *_SHORT, "type"), headers={"Location": location})

    def delete_deployment(self, call: Call, names: Mapping[str, str]) -> Answer:
        existed = self.resources.delete(call.path)
        self.estate.deployments.forget(names["name"])
        return Answer(status=200 if existed else 204)

    def list_runs(self, call: Call, _: Mapping[str, str]) -> Answer:
        """Newest first. `$skip` and `$top` page; `nextLink` says where the next page is."""
        self._found(call.path.rpartition("/")[0])
        documents = self._filtered(call, self.resources.within(call.path))
        documents.sort(key=lambda run: parse_time(at(run, "properties.startTime")) or self.estate.now, reverse=True)
        return self._page(call, [_only(document, *_SHORT) for document in documents])

    def get_run(self, call: Call, _: Mapping[str, str]) -> Answer:
        return Answer(body=_only(self._found(call.path, "Run"), *_SHORT))

    def pager(self, call: Call, _: Mapping[str, str]) -> Answer:
        self._found(call.path.rpartition("/")[0])
        return self._page(
            call, self._filtered(call, [_as_azure_has_it(one) for one in self.resources.within(call.path)])
        )

    def get_member(self, call: Call, _: Mapping[str, str]) -> Answer:
        return Answer(body=_as_azure_has_it(self._found(call.path)))

    def job_output(self, call: Call, _: Mapping[str, str]) -> Answer:
        """Plain text: what a fleet has as the job's `output`."""
        job = self._found(call.path.rpartition("/")[0], "Job")
        return Answer(body=text_at(job, "output"))

    def job_streams(self, call: Call, _: Mapping[str, str]) -> Answer:
        """What a fleet has as the job's `streams`."""
        job = self._found(call.path.rpartition("/")[0], "Job")
        streams = [stream for stream in list_at(job, "streams") if isinstance(stream, dict)]
        return self._page(call, self._filtered(call, streams))

    def delete_member(self, call: Call, _: Mapping[str, str]) -> Answer:
        return Answer(status=200 if self.resources.delete(call.path) else 204)

    def list_workers(self, call: Call, _: Mapping[str, str]) -> Answer:
        self._found(call.path.rpartition("/")[0], "Hybrid Worker Group")
        seen = self.estate.machines.worker_last_seen
        return self._page(call, self._filtered(call, [seen(worker) for worker in self.resources.within(call.path)]))

    def get_worker(self, call: Call, _: Mapping[str, str]) -> Answer:
        worker = self._found(call.path, "Hybrid Worker")
        return Answer(body=self.estate.machines.worker_last_seen(worker))

    def linked_workspace(self, call: Call, _: Mapping[str, str]) -> Answer:
        document = self.resources.get(call.path) or {}
        linked = document.get("linkedWorkspaceId")
        return Answer(body={"id": linked} if linked else {})

    def _all(self, call: Call) -> Answer:
        return Answer(body={"value": [_only(item, "id", "name", "unit", "currentValue", "limit", "counterProperty")
                                      for item in self.resources.within(call.path)]})  # fmt: skip

    def _found(self, resource_id: str, what: str = "") -> Document:
        document = self.resources.get(resource_id)
        if document is None:
            kind = what or resource_id.rsplit("/", 2)[-2]
            raise Refused(404, "NotFound", f"{kind} not found")
        return document

    def _filtered(self, call: Call, documents: list[Document]) -> list[Document]:
        try:
            fits = odata.parse(call.query.get("$filter", ""))
        except odata.BadFilter as error:
            raise Refused(400, "BadRequest", f"The filter is not valid: {error}") from error
        return [document for document in documents if fits(document)]

    def _page(self, call: Call, items: list[Document]) -> Answer:
        skip = call.number("$skip", 0)
        size = min(call.number("$top", self.options.page_size), self.options.page_size)
        body: Document = {"value": list(items[skip : skip + size])}
        if skip + size < len(items) and size:
            query = {**call.query, "$skip": str(skip + size)}
            body["nextLink"] = f"{call.base}{call.path}?{urlencode(query)}"
        return Answer(body=body)

    def _settle_provisioning(self, name: str, document: Document) -> None:
        """The first look after a PUT finds it provisioning still."""
        looks = self._provisioning.get(name)
        if looks is None:
            return
        self._provisioning[name] = looks + 1
        written = parse_time(at(document, "properties.lastModifiedTime")) or self.estate.now
        if looks >= self.options.looks or self.estate.now - written >= timedelta(seconds=30):
            del self._provisioning[name]
            document_at(document, "properties")["provisioningState"] = "Succeeded"

    def _accepted(self, body: Document, before: Document | None) -> Document:
        """The configuration that the service keeps of what it was sent. Raises `Refused`."""
        update = dict(document_at(body, "properties.updateConfiguration"))
        schedule = dict(document_at(body, "properties.scheduleInfo"))
        if not update or not schedule:
            raise _bad("properties.updateConfiguration and properties.scheduleInfo are required.")
        now = self.estate.now
        self._check_update(update)
        self._check_schedule(schedule)
        old = document_at(before or {}, "properties")
        tasks = document_at(body, "properties.tasks")
        properties: Document = {
            "updateConfiguration": update,
            "scheduleInfo": schedule,
            "provisioningState": "Provisioning",
            "createdBy": old.get("createdBy") or "",
            "error": None,
            "tasks": {"preTask": tasks.get("preTask"), "postTask": tasks.get("postTask")},
            "creationTime": old.get("creationTime") or time_out(now),
            "lastModifiedBy": "",
            "lastModifiedTime": time_out(now),
        }
        return {"properties": properties}

    def _check_update(self, update: Document) -> None:
        os = text_at(update, "operatingSystem").capitalize()
        if os not in {"Windows", "Linux"}:
            raise _bad("updateConfiguration.operatingSystem must be Windows or Linux.")
        window = parse_duration(update.get("duration") or "PT2H")
        if window is None or not SHORTEST_WINDOW <= window <= LONGEST_WINDOW:
            raise _bad("updateConfiguration.duration must be between PT30M and PT6H.")
        targets = document_at(update, "targets")
        if not any(
            (
                list_at(update, "azureVirtualMachines"),
                list_at(update, "nonAzureComputerNames"),
                list_at(targets, "azureQueries"),
                list_at(targets, "nonAzureQueries"),
            )
        ):
            raise _bad("The software update configuration has no targets.")
        self._check_machines(list_at(update, "azureVirtualMachines"))
        update |= {
            "operatingSystem": os,
            "duration": format_duration(window),
            "windows": _patches(update.get("windows"), _WINDOWS_CLASSES, "includedUpdateClassifications", "KbNumbers"),
            "linux": _patches(
                update.get("linux"), _LINUX_CLASSES, "includedPackageClassifications", "PackageNameMasks"
            ),
            "targets": {"azureQueries": targets.get("azureQueries"), "nonAzureQueries": targets.get("nonAzureQueries")},
            "azureVirtualMachines": update.get("azureVirtualMachines"),
            "nonAzureComputerNames": update.get("nonAzureComputerNames"),
        }

    def _check_machines(self, machines: list[Json]) -> None:
        for machine in machines:
            if not isinstance(machine, str) or "/virtualmachines/" not in machine.lower():
                raise _bad(f"azureVirtualMachines: not the resource id of a virtual machine: {machine!r:.200}")

    def _check_schedule(self, schedule: Document) -> None:
        frequency = _FREQUENCIES.get(text_at(schedule, "frequency").lower())
        if frequency is None:
            raise _bad(f"scheduleInfo.frequency must be one of {', '.join(_FREQUENCIES.values())}.")
        zone, text = zone_of(schedule), text_at(schedule, "startTime")
        start = parse_time(text)
        if start is None:
            raise _bad("scheduleInfo.startTime is not a time.")
        # The service reads the clock on the wall in the schedule's zone: an offset that was sent is not looked at.
        wall = parse_time(text[:19]) or start
        start = wall.replace(second=0, microsecond=0, tzinfo=zone).astimezone(UTC)
        if start < self.estate.now + LEAST_AHEAD:
            raise _bad(
                "The start time of the schedule must be at least 10 minutes after the time you create the schedule."
            )
        interval = schedule.get("interval")
        if frequency != "OneTime" and (not isinstance(interval, int) or not 1 <= interval <= 100):
            raise _bad("scheduleInfo.interval must be from 1 to 100.")
        expiry = parse_time(schedule.get("expiryTime"))
        now = time_out(self.estate.now)
        schedule |= {
            "description": text_at(schedule, "description"),
            "startTime": time_out(start, zone),
            "startTimeOffsetMinutes": 0.0,
            "expiryTime": time_out(start, zone)
            if frequency == "OneTime"
            else (schedule.get("expiryTime") if expiry else "9999-12-31T23:59:59.9999999+00:00"),
            "expiryTimeOffsetMinutes": 0.0,
            "isEnabled": schedule.get("isEnabled") is not False,
            "nextRun": None,
            "nextRunOffsetMinutes": 0.0,
            "interval": None if frequency == "OneTime" else interval,
            "frequency": frequency,
            "timeZone": text_at(schedule, "timeZone") or "Etc/UTC",
            "advancedSchedule": schedule.get("advancedSchedule"),
            "creationTime": schedule.get("creationTime") or now,
            "lastModifiedTime": now,
        }


def _bad(message: str) -> Refused:
    return Refused(400, "BadRequest", message)


def _patches(given: Json, classes: tuple[str, ...], key: str, lists: str) -> Json:
    """What is installed on one operating system; classifications come back in the service's own order."""
    if not isinstance(given, dict):
        return None
    sent = {part.strip().lower() for part in text_at(given, key).split(",") if part.strip()}
    if unknown := sent - {name.lower() for name in classes}:
        raise _bad(f"{key}: unknown: {', '.join(sorted(unknown))}")
    chosen = [name for name in classes if name.lower() in sent] or ["Unclassified"]
    return {
        **given,
        key: ", ".join(chosen),
        f"excluded{lists}": given.get(f"excluded{lists}"),
        f"included{lists}": given.get(f"included{lists}"),
        "rebootSetting": given.get("rebootSetting") or "IfRequired",
    }


def _only(document: Document, *keys: str) -> Document:
    """What the service's own body has; fleets add a `type` where the service has none."""
    return {key: document[key] for key in keys if key in document}


def _collection_item(document: Document) -> Document:
    properties = document_at(document, "properties")
    schedule = document_at(properties, "scheduleInfo")
    return {
        "id": document["id"],
        "name": document["name"],
        "properties": {
            "updateConfiguration": properties.get("updateConfiguration"),
            "tasks": properties.get("tasks"),
            "frequency": schedule.get("frequency"),
            "startTime": schedule.get("startTime"),
            "creationTime": properties.get("creationTime"),
            "lastModifiedTime": properties.get("lastModifiedTime"),
            "provisioningState": properties.get("provisioningState"),
            "nextRun": schedule.get("nextRun"),
        },
    }


def _as_azure_has_it(document: Document) -> Document:
    """A document without what a fleet keeps with a job: that is asked for by itself."""
    return {key: value for key, value in document.items() if key not in {"output", "streams"}}
