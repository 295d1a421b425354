"""Facts and Azure's documents for tests: a builder names only what the case is about."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from model.documents import Document, Json, at, list_at, text_at
from model.facts import (
    AgentExtension,
    Container,
    Deployment,
    DynamicQuery,
    Facts,
    Job,
    JobOutput,
    LogWorkspace,
    Machine,
    MachineRun,
    PowerState,
    ProviderRegistration,
    ResourceChange,
    Row,
    SavedSearch,
    Subscription,
    SystemGroup,
    Unreadable,
    UpdateRun,
    Usage,
    UserWorker,
    workers_of,
)
from model.findings import Finding
from model.plans import Plan, RegisterProvider, Settle, Step
from model.resource_ids import subscription_of
from model.states import ActionClass, FailureState, Impact
from model.times import format_duration, format_time, parse_duration, parse_time
from remediations import action_classes

NOW: Final = datetime(2026, 3, 10, 6, 0, tzinfo=UTC)
"""Tuesday, six o'clock."""
MINUTE: Final = timedelta(minutes=1)
HOUR: Final = timedelta(hours=1)
DAY: Final = timedelta(days=1)

SUBSCRIPTION: Final = "11111111-2222-4333-8444-555555555555"
ELSEWHERE: Final = "99999999-2222-4333-8444-555555555555"
"""A subscription that is not in scope."""
_GROUP: Final = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-ops/providers"
ACCOUNT: Final = f"{_GROUP}/Microsoft.Automation/automationAccounts/aa"
WORKSPACE: Final = f"{_GROUP}/Microsoft.OperationalInsights/workspaces/law"
WORKSPACE_GUID: Final = "77777777-0000-4000-8000-000000000001"
QUERIES: Final = tuple(sorted(path.stem for path in (Path(__file__).parents[1] / "detectors").glob("*.kql")))
"""Names of the detectors' queries: each has been asked, and has no row where a case says nothing."""
ALL_OPTED_IN: Final = ",".join(sorted(id_ for id_, one in action_classes().items() if one is ActionClass.OPT))
"""`PATCHWRIGHT_OPT_IN` of an operator who leaves everything to the sweeps."""
WIDE_LIMITS: Final = {
    "PATCHWRIGHT_MAX_MACHINES": "100",
    "PATCHWRIGHT_MAX_PERCENT": "100",
    "PATCHWRIGHT_STORM_PERCENT": "100",
}
"""Settings for a small estate of which nearly everything is broken: the defaults would leave most of it alone."""
SCOPE_SEARCH: Final = f"{WORKSPACE}/savedSearches/updates|microsoftdefaultcomputergroup"


def guid(seed: str) -> str:
    """The same made-up GUID for the same seed."""
    return str(uuid.uuid5(uuid.NAMESPACE_DNS, seed))


def swapped(id_: str) -> str:
    """A GUID as Linux distributions that read the SMBIOS table literally spell it."""
    return str(uuid.UUID(bytes=uuid.UUID(id_).bytes_le))


def vm(name: str, *, group: str = "rg-web", subscription: str = SUBSCRIPTION) -> str:
    """A virtual machine's resource id in Azure's spelling."""
    return f"/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Compute/virtualMachines/{name}"


def update_deployment(name: str) -> str:
    """A software update configuration's resource id in Azure's spelling."""
    return f"{ACCOUNT}/softwareUpdateConfigurations/{name}"


def a_machine(
    name: str = "web-01",
    *,
    group: str = "rg-web",
    vm_id: str | None = None,
    os: str = "Windows",
    power: PowerState = PowerState.RUNNING,
    tags: Mapping[str, str] | None = None,
    is_arc: bool = False,
    subscription: str = SUBSCRIPTION,
) -> Machine:
    arm_id = vm(name, group=group, subscription=subscription)
    if is_arc:
        arm_id = arm_id.replace("Microsoft.Compute/virtualMachines", "Microsoft.HybridCompute/machines")
    return Machine(
        id=arm_id.lower(),
        arm_id=arm_id,
        name=name,
        location="westeurope",
        os=os,
        vm_id=guid(f"vm {arm_id}") if vm_id is None else vm_id,
        power=power,
        tags=tags or {},
        is_arc=is_arc,
    )


def an_instance_view(machine: Machine, *, agent: str | None = "ProvisioningState/succeeded") -> Document:
    """A virtual machine as a GET with its instance view answers it; `agent` None leaves the guest agent out."""
    view: Document = {"statuses": [{"code": "ProvisioningState/succeeded"}, {"code": "PowerState/running"}]}
    if agent is not None:
        view["vmAgent"] = {"vmAgentVersion": "2.7.41491.1", "statuses": [{"code": agent, "displayStatus": "Ready"}]}
    return {
        "id": machine.arm_id,
        "name": machine.name,
        "type": "Microsoft.Compute/virtualMachines",
        "location": machine.location,
        "properties": {"vmId": machine.vm_id, "instanceView": view},
    }


def a_body(
    name: str = "Weekly",
    *,
    machines: Sequence[Machine | str] = (),
    names: Sequence[str] = (),
    scopes: Sequence[str] = (),
    tags: Mapping[str, Sequence[str]] | None = None,
    any_tag: bool = False,
    locations: Sequence[str] = (),
    duration: timedelta | None = 2 * HOUR,
    next_run: datetime | None = NOW + 3 * DAY,
    frequency: str = "Week",
    zone: str = "Etc/UTC",
    offset: Json = 0,
    enabled: Json = True,
    state: str = "Succeeded",
    edited: datetime | None = NOW - 60 * DAY,
    expires: str = "9999-12-31T23:59:59.9999999+00:00",
    classes: str | None = None,
    excluded: Sequence[str] = (),
) -> Document:
    """A software update configuration as a GET answers it: of Linux machines where it has `classes` of packages."""
    windows: Document = {
        "includedUpdateClassifications": "Critical, Security",
        "excludedKbNumbers": ["5034439"],
        "includedKbNumbers": [],
        "rebootSetting": "IfRequired",
    }
    linux: Document = {
        "includedPackageClassifications": classes,
        "excludedPackageNameMasks": list(excluded),
        "includedPackageNameMasks": [],
        "rebootSetting": "IfRequired",
    }
    queries: list[Json] = [
        {
            "scope": [scope],
            "locations": list(locations),
            "tagSettings": {
                "tags": {name: list(values) for name, values in (tags or {}).items()},
                "filterOperator": "Any" if any_tag else "All",
            },
        }
        for scope in scopes
    ]
    return {
        "id": update_deployment(name),
        "name": name,
        "type": "Microsoft.Automation/automationAccounts/softwareUpdateConfigurations",
        "properties": {
            "updateConfiguration": {
                "operatingSystem": "Windows" if classes is None else "Linux",
                "windows": windows if classes is None else None,
                "linux": None if classes is None else linux,
                "targets": {"azureQueries": queries or None, "nonAzureQueries": None},
                "duration": format_duration(duration) if duration is not None else None,
                "azureVirtualMachines": [m if isinstance(m, str) else m.arm_id for m in machines],
                "nonAzureComputerNames": list(names),
            },
            "scheduleInfo": {
                "description": "",
                "startTime": "2026-01-09T06:00:00.0000000+00:00",
                "startTimeOffsetMinutes": 0,
                "expiryTime": expires,
                "expiryTimeOffsetMinutes": 0,
                "isEnabled": enabled,
                "nextRun": f"{next_run:%Y-%m-%dT%H:%M:%S}.0000000+00:00" if next_run else None,
                "nextRunOffsetMinutes": offset,
                "interval": 1,
                "frequency": frequency,
                "timeZone": zone,
                "advancedSchedule": {"weekDays": ["Friday"], "monthDays": None, "monthlyOccurrences": None},
                "creationTime": "2026-01-08T06:00:00.0000000+00:00",
                "lastModifiedTime": "2026-01-09T06:00:00.0000000+00:00",
            },
            "tasks": {"preTask": None, "postTask": None},
            "provisioningState": state,
            "createdBy": "ops@contoso.com",
            "error": None,
            "creationTime": "2026-01-08T06:00:00.0000000+00:00",
            "lastModifiedBy": "",
            "lastModifiedTime": format_time(edited) if edited else None,
        },
    }


def a_deployment(body: Document) -> Deployment:
    """What decisions know of a body."""
    configuration = "properties.updateConfiguration"
    arm_id = text_at(body, "id")
    queries = list_at(body, f"{configuration}.targets.azureQueries")
    return Deployment(
        id=arm_id.lower(),
        arm_id=arm_id,
        name=text_at(body, "name"),
        operating_system=text_at(body, f"{configuration}.operatingSystem"),
        duration=parse_duration(at(body, f"{configuration}.duration")),
        azure_machines=tuple(str(m).lower() for m in list_at(body, f"{configuration}.azureVirtualMachines")),
        computer_names=tuple(str(m) for m in list_at(body, f"{configuration}.nonAzureComputerNames")),
        query_scopes=tuple(str(s).lower() for q in queries if isinstance(q, dict) for s in list_at(q, "scope")),
        queries=tuple(_query(query) for query in queries if isinstance(query, dict)),
        frequency=text_at(body, "properties.scheduleInfo.frequency"),
        next_run=parse_time(at(body, "properties.scheduleInfo.nextRun")),
        last_modified=parse_time(at(body, "properties.lastModifiedTime")),
        package_classifications=_words(body, f"{configuration}.linux.includedPackageClassifications"),
        package_exclusions=tuple(str(m) for m in list_at(body, f"{configuration}.linux.excludedPackageNameMasks")),
        kb_exclusions=frozenset(str(kb) for kb in list_at(body, f"{configuration}.windows.excludedKbNumbers")),
    )


def _query(query: Document) -> DynamicQuery:
    tags = at(query, "tagSettings.tags")
    return DynamicQuery(
        scopes=tuple(str(scope).lower() for scope in list_at(query, "scope")),
        locations=frozenset(str(place) for place in list_at(query, "locations")),
        tags={name: frozenset(map(str, list_at(tags, name))) for name in tags} if isinstance(tags, dict) else {},
        all_tags=text_at(query, "tagSettings.filterOperator") == "All",
    )


def _words(body: Document, path: str) -> frozenset[str] | None:
    text = at(body, path)
    if not isinstance(text, str):
        return None
    return frozenset(word.strip().lower() for word in text.split(",") if word.strip())


def a_run(
    id_: str = "run-1",
    *,
    of: str = "Weekly",
    status: str = "Succeeded",
    start: datetime | None = NOW - 4 * DAY,
    duration: timedelta | None = 2 * HOUR,
    computers: int | None = None,
) -> UpdateRun:
    return UpdateRun(
        id=id_,
        deployment=of.lower(),
        status=status.lower(),
        configured_duration=duration,
        start=start,
        end=start + HOUR if start else None,
        computer_count=computers,
    )


def a_machine_run(
    machine: Machine | str,
    *,
    run: str = "run-1",
    of: str = "Weekly",
    status: str = "FailedToStart",
    source: str = "",
    error: str = "",
    start: datetime | None = NOW - 4 * DAY,
    os: str = "",
    job: str = "",
) -> MachineRun:
    target = machine if isinstance(machine, str) else machine.id
    return MachineRun(
        id=guid(f"{run} {target} {status}"),
        run=run,
        deployment=of.lower(),
        target=target,
        status=status.lower(),
        source_computer_id=source,
        error=error,
        start=start,
        os=os,
        job=job,
    )


def an_identity(
    machine: Machine, source: str, *, last: datetime, first: datetime | None = None, vm_id: str | None = None
) -> Document:
    """A row of `source-id-changed.kql`: one identity under which a machine beat."""
    return {
        "MachineId": machine.id,
        "SourceComputerId": source,
        "First": format_time(first or last - 5 * DAY),
        "Last": format_time(last),
        "VmId": machine.vm_id if vm_id is None else vm_id,
        "Computer": machine.name,
    }


def a_silence(
    machine: Machine | str, *, last: datetime, source: str = "", vm_id: str | None = None, computer: str = ""
) -> Document:
    """A row of `silent-machines.kql`: when a machine that is silent now beat last."""
    own = "" if isinstance(machine, str) else machine.vm_id
    return {
        "MachineId": machine if isinstance(machine, str) else machine.id,
        "VmId": own if vm_id is None else vm_id,
        "SourceComputerId": source,
        "Computer": computer or (machine.rsplit("/", 1)[-1] if isinstance(machine, str) else machine.name),
        "LastBeat": format_time(last),
    }


def a_system_group(computer: str, source: str) -> SystemGroup:
    """The worker group that Azure made for a machine's agent."""
    name = f"{computer}_{source}"
    id_ = f"{ACCOUNT}/hybridRunbookWorkerGroups/{name}".lower()
    return SystemGroup(id=id_, name=name, computer=computer.lower(), source_computer_id=source)


def its_workers(group: SystemGroup, *seen: datetime | None) -> Document:
    """The list of a group's workers, each with when it was seen last."""
    workers: list[Json] = [
        {"name": guid(f"worker {number}"), "properties": {"lastSeenDateTime": format_time(when) if when else None}}
        for number, when in enumerate(seen)
    ]
    return {"id": workers_of(group.id), "value": workers}


def a_job(
    id_: str,
    start: datetime | None,
    end: datetime | None = None,
    *,
    status: str = "",
    created: datetime | None = None,
) -> Job:
    """A job that ended, runs, or waits: by which of its times it has."""
    status = status or ("completed" if end else "running" if start else "new")
    created = created or start
    return Job(id=id_, runbook="Patch-MicrosoftOMSComputer", status=status, created=created, start=start, end=end)


def a_beat(
    machine: Machine | str, source: str, *, ago: timedelta = MINUTE, vm_id: str | None = None, now: datetime = NOW
) -> Document:
    """A row of `cloned-machine.kql`: the newest beat of a machine that shares its identity."""
    own = "" if isinstance(machine, str) else machine.vm_id
    return {
        "MachineId": machine if isinstance(machine, str) else machine.id,
        "SourceComputerId": source,
        "VmId": own if vm_id is None else vm_id,
        "Computer": machine if isinstance(machine, str) else machine.name,
        "OSType": "Windows",
        "LastBeat": format_time(now - ago),
    }


def a_complaint(
    machine: Machine | str,
    said: str,
    *,
    ago: timedelta = HOUR,
    lasting: timedelta = HOUR,
    times: int = 12,
    event: int = 4502,
) -> Document:
    """A row of `agent-complaints.kql`: what one machine's agent wrote into its event log; text for a machine's id."""
    name = machine.removeprefix("name:") if isinstance(machine, str) else f"{machine.name}.contoso.com"
    return {
        "MachineId": machine if isinstance(machine, str) else machine.id,
        "Computer": name,
        "EventID": event,
        "Text": said,
        "First": format_time(NOW - ago - lasting),
        "Last": format_time(NOW - ago),
        "Times": times,
    }


def a_saved_search(query: str, *, id_: str = SCOPE_SEARCH, etag: str = 'W/"1"') -> SavedSearch:
    document: Document = {
        "id": id_,
        "name": id_.rsplit("/", 1)[1],
        "etag": etag,
        "properties": {
            "category": "Updates",
            "displayName": "MicrosoftDefaultComputerGroup",
            "query": query,
            "functionAlias": "Updates__MicrosoftDefaultComputerGroup",
            "version": 2,
            "tags": [{"name": "Group", "value": "Computer"}],
        },
    }
    return SavedSearch(id=id_.lower(), arm_id=id_, etag=etag, document=document)


def a_workspace(
    *,
    ingestion: str = "respectquota",
    quota: float | None = -1.0,
    resets: datetime | None = NOW + 10 * HOUR,
    sku: str = "PerGB2018",
    account_links_to: str = WORKSPACE.lower(),
    linked_account: str = ACCOUNT.lower(),
    solution: bool = True,
    pack: bool = True,
) -> LogWorkspace:
    """A workspace that takes data in, is linked, and has the Updates solution."""
    return LogWorkspace(
        arm_id=WORKSPACE,
        name="law",
        guid=WORKSPACE_GUID,
        ingestion=ingestion,
        daily_quota_gb=quota,
        quota_resets=resets,
        sku=sku,
        account_links_to=account_links_to,
        linked_account=linked_account,
        has_solution=solution,
        pack_enabled=pack,
    )


def an_agent(
    machine: Machine, workspace: str = WORKSPACE_GUID, *, kind: str = "MicrosoftMonitoringAgent"
) -> AgentExtension:
    """The extension of the Log Analytics agent on a machine."""
    return AgentExtension(machine_id=machine.id, name=kind, kind=kind, workspace_guid=workspace)


def a_registration(subscription: str = SUBSCRIPTION, state: str = "Registered") -> ProviderRegistration:
    return ProviderRegistration(subscription=subscription, namespace="Microsoft.Automation", state=state)


def facts(
    *,
    machines: Iterable[Machine] = (),
    bodies: Iterable[Document] = (),
    runs: Iterable[UpdateRun] = (),
    machine_runs: Iterable[MachineRun] = (),
    job_outputs: Mapping[str, JobOutput] | None = None,
    called: Mapping[str, Iterable[str]] | None = None,
    changes: Mapping[str, Sequence[ResourceChange]] | None = None,
    user_workers: Iterable[UserWorker] = (),
    system_groups: Iterable[SystemGroup] = (),
    jobs: Mapping[str, Sequence[Job]] | None = None,
    usages: Iterable[Usage] = (),
    workspace: LogWorkspace | None = None,
    agents: Iterable[AgentExtension] = (),
    searches: Iterable[SavedSearch] = (),
    registrations: Iterable[ProviderRegistration] = (),
    seen_subscriptions: Iterable[Subscription] = (),
    containers: Iterable[Container] = (),
    rows: Mapping[str, Sequence[Row]] | None = None,
    views: Iterable[Document] = (),
    without: Iterable[str] = (),
    unreadable: Mapping[str, str] | None = None,
    subscriptions: Iterable[str] = (SUBSCRIPTION,),
    now: datetime = NOW,
) -> Facts:
    """Everything that was read. Bodies are known in full, but for those `without` a document."""
    bodies = list(bodies)
    deployments = [a_deployment(body) for body in bodies]
    left_out = {id_.lower() for id_ in without}
    documents = {text_at(document, "id").lower(): document for document in [*bodies, *views]}
    return Facts(
        now=now,
        account=ACCOUNT.lower(),
        workspace=WORKSPACE.lower(),
        workspace_guid=WORKSPACE_GUID,
        subscriptions=frozenset(subscriptions),
        machines={machine.id: machine for machine in machines},
        deployments={deployment.id: deployment for deployment in deployments},
        runs=tuple(runs),
        machine_runs=tuple(machine_runs),
        job_outputs=job_outputs or {},
        called={run: frozenset(targets) for run, targets in (called or {}).items()},
        changes={machine: tuple(some) for machine, some in (changes or {}).items()},
        user_workers=tuple(user_workers),
        system_groups={group.id: group for group in system_groups},
        jobs={run: tuple(around) for run, around in (jobs or {}).items()},
        usages=tuple(usages),
        log_workspace=workspace,
        agents=tuple(agents),
        saved_searches={search.id: search for search in searches},
        providers={(one.subscription, one.namespace.lower()): one for one in registrations},
        containers={container.id: container for container in containers},
        visible_subscriptions={one.id: one for one in seen_subscriptions},
        # Agents beat, and the logs are up to date, where a case says nothing else.
        rows=dict[str, tuple[Row, ...]].fromkeys(QUERIES, ())
        | {"newest-beat": ({"Newest": format_time(now - MINUTE)},)}
        | {name: tuple(found) for name, found in (rows or {}).items()},
        documents={id_: document for id_, document in documents.items() if id_ not in left_out},
        unreadable={name: Unreadable(what=what) for name, what in (unreadable or {}).items()},
    )


def a_finding(
    state: FailureState = FailureState.AUTOMATION_RP_NOT_REGISTERED,
    target: str = f"/subscriptions/{SUBSCRIPTION}",
    *,
    name: str = "the-target",
    evidence: Mapping[str, Json] | None = None,
) -> Finding:
    return Finding(state=state, target=target, name=name, reason="it is broken", evidence=evidence or {})


def a_plan(*steps: Step, finding: Finding | None = None, group: str = "") -> Plan:
    """A plan; where nothing is said, one that registers a provider."""
    finding = finding or a_finding()
    if not steps:
        subscription = subscription_of(finding.target)
        namespace, state = "Microsoft.Automation", "NotRegistered"
        steps = (RegisterProvider(subscription=subscription, namespace=namespace, state_before=state),)
    return Plan(
        finding=finding,
        remediation="a-remediation",
        impact=Impact.REVERSIBLE,
        reason="it helps",
        steps=steps,
        settle=Settle(after=MINUTE, why="it shows"),
        group=group,
    )
