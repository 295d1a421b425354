"""Documents of Resource Manager -> the few fields that decisions need. Sets of words are open, fields may be absent."""

from __future__ import annotations

from typing import Final

from adapters.arm import id_of
from engine.ports import AzureUnavailable, texts
from model.documents import Document, at, list_at, text_at
from model.facts import (
    Container,
    Deployment,
    DynamicQuery,
    Machine,
    MachineRun,
    PowerState,
    ProviderRegistration,
    ResourceChange,
    SavedSearch,
    Subscription,
    UpdateRun,
    UserWorker,
)
from model.times import parse_duration, parse_time
from model.words import kb_number

_POWER: Final = {
    "powerstate/running": PowerState.RUNNING,
    "powerstate/starting": PowerState.STARTING,
    "powerstate/stopped": PowerState.STOPPED,
    "powerstate/deallocated": PowerState.DEALLOCATED,
    # Arc machines are seen through their agent: connected is as good as running, anything else tells nothing of power.
    "connected": PowerState.RUNNING,
}


def machine(row: Document, *, is_arc: bool) -> Machine:
    """A row of the inventory query. Raises `AzureUnavailable` where it has no id; so do all functions here."""
    arm_id = id_of(row, "Resource Graph")
    return Machine(
        id=arm_id.lower(),
        arm_id=arm_id,
        name=text_at(row, "name") or arm_id.rsplit("/", 1)[-1],
        location=text_at(row, "location"),
        os=_os(text_at(row, "os")),
        vm_id=text_at(row, "vmId").lower(),
        power=_POWER.get(text_at(row, "power").lower(), PowerState.UNKNOWN),
        tags=_tags(row),
        is_arc=is_arc,
    )


def container(row: Document) -> Container:
    """A row of the query for resource groups and subscriptions."""
    arm_id = id_of(row, "Resource Graph")
    return Container(id=arm_id.lower(), name=text_at(row, "name") or arm_id.rsplit("/", 1)[-1], tags=_tags(row))


def _tags(row: Document) -> dict[str, str]:
    tags = row.get("tags")
    return {key: value for key, value in tags.items() if isinstance(value, str)} if isinstance(tags, dict) else {}


def _os(text: str) -> str:
    return {"windows": "Windows", "linux": "Linux"}.get(text.lower(), "")


def deployment(document: Document) -> Deployment:
    """A software update configuration, from the list or from a GET: they differ in where the schedule stands."""
    arm_id = id_of(document, "software update configurations")
    update = "properties.updateConfiguration"
    scopes = [
        scope.lower()
        for query in list_at(document, f"{update}.targets.azureQueries")
        if isinstance(query, dict)
        for scope in texts(list_at(query, "scope"))
    ]
    linux = at(document, f"{update}.linux")
    classes = text_at(document, f"{update}.linux.includedPackageClassifications")
    next_run = at(document, "properties.nextRun") or at(document, "properties.scheduleInfo.nextRun")
    return Deployment(
        id=arm_id.lower(),
        arm_id=arm_id,
        name=text_at(document, "name") or arm_id.rsplit("/", 1)[-1],
        operating_system=_os(text_at(document, f"{update}.operatingSystem")),
        duration=parse_duration(at(document, f"{update}.duration")),
        azure_machines=tuple(id_.lower() for id_ in texts(list_at(document, f"{update}.azureVirtualMachines"))),
        computer_names=texts(list_at(document, f"{update}.nonAzureComputerNames")),
        query_scopes=tuple(dict.fromkeys(scopes)),
        queries=tuple(
            _query(query) for query in list_at(document, f"{update}.targets.azureQueries") if isinstance(query, dict)
        ),
        frequency=text_at(document, "properties.frequency") or text_at(document, "properties.scheduleInfo.frequency"),
        next_run=parse_time(next_run),
        last_modified=parse_time(at(document, "properties.lastModifiedTime")),
        package_classifications=frozenset(word.strip().lower() for word in classes.split(",") if word.strip())
        if isinstance(linux, dict)
        else None,
        package_exclusions=texts(list_at(document, f"{update}.linux.excludedPackageNameMasks")),
        kb_exclusions=frozenset(map(kb_number, texts(list_at(document, f"{update}.windows.excludedKbNumbers")))),
    )


def _query(query: Document) -> DynamicQuery:
    tags = at(query, "tagSettings.tags")
    return DynamicQuery(
        scopes=tuple(scope.lower() for scope in texts(list_at(query, "scope"))),
        locations=frozenset(place.lower().replace(" ", "") for place in texts(list_at(query, "locations"))),
        tags={
            name.lower(): frozenset(value.lower() for value in texts(values if isinstance(values, list) else [values]))
            for name, values in (tags if isinstance(tags, dict) else {}).items()
        },
        all_tags=text_at(query, "tagSettings.filterOperator").lower() != "any",
    )


def change(row: Document) -> ResourceChange | None:
    """A row of `changes.kql`; None for one without a time."""
    when, changes = parse_time(row.get("at")), row.get("changes")
    if when is None:
        return None
    before = {
        path: text_at(one, "previousValue")
        for path, one in (changes if isinstance(changes, dict) else {}).items()
        if isinstance(one, dict)
    }
    return ResourceChange(at=when, kind=text_at(row, "change").lower(), before=before)


def run(document: Document) -> UpdateRun:
    """A run of a deployment; its name is the correlation id of its machine runs."""
    count = at(document, "properties.computerCount")
    return UpdateRun(
        id=_name(document, "software update configuration runs"),
        deployment=text_at(document, "properties.softwareUpdateConfiguration.name").lower(),
        status=text_at(document, "properties.status").lower(),
        configured_duration=parse_duration(at(document, "properties.configuredDuration")),
        start=parse_time(at(document, "properties.startTime")),
        end=parse_time(at(document, "properties.endTime")),
        computer_count=count if isinstance(count, int) else None,
    )


def machine_run(document: Document) -> MachineRun:
    """One machine's part in a run."""
    error = (text_at(document, "properties.error.code"), text_at(document, "properties.error.message"))
    return MachineRun(
        id=_name(document, "software update configuration machine runs"),
        run=text_at(document, "properties.correlationId").lower(),
        deployment=text_at(document, "properties.softwareUpdateConfiguration.name").lower(),
        target=text_at(document, "properties.targetComputer").lower(),
        status=text_at(document, "properties.status").lower(),
        source_computer_id=text_at(document, "properties.sourceComputerId").lower(),
        error=": ".join(part for part in error if part),
        start=parse_time(at(document, "properties.startTime")),
        os=_os(text_at(document, "properties.osType")),
        # A name in some answers and a resource id in others.
        job=text_at(document, "properties.job.id").rstrip("/").rsplit("/", 1)[-1].lower(),
    )


def _name(document: Document, what: str) -> str:
    return (text_at(document, "name") or id_of(document, what).rsplit("/", 1)[-1]).lower()


def is_system_group(document: Document) -> bool:
    """True for a worker group that Update Management made; one of an unknown type counts as a person's."""
    return text_at(document, "properties.groupType").lower() == "system"


def user_worker(group: str, document: Document) -> UserWorker:
    """A member of a hybrid worker group."""
    arm_id = id_of(document, "hybrid runbook workers")
    return UserWorker(
        group=group,
        machine_id=text_at(document, "properties.vmResourceId").lower(),
        worker_name=text_at(document, "properties.workerName") or arm_id.rsplit("/", 1)[-1],
    )


def saved_search(document: Document) -> SavedSearch:
    """A saved search, whole: an edit sends back what it did not understand."""
    arm_id = id_of(document, "saved searches")
    return SavedSearch(id=arm_id.lower(), arm_id=arm_id, etag=text_at(document, "etag"), document=document)


def provider(subscription: str, namespace: str, document: Document) -> ProviderRegistration:
    """A resource provider's registration in a subscription."""
    return ProviderRegistration(
        subscription=subscription, namespace=namespace, state=text_at(document, "registrationState")
    )


def subscription(document: Document) -> Subscription:
    """A subscription. Raises `AzureUnavailable` where it has no id."""
    guid = text_at(document, "subscriptionId").lower()
    if not guid:
        raise AzureUnavailable("a subscription came without its id")
    managing = [tenant for tenant in list_at(document, "managedByTenants") if isinstance(tenant, dict)]
    return Subscription(
        id=guid,
        name=text_at(document, "displayName"),
        tenant=text_at(document, "tenantId").lower(),
        managed_by=tuple(text_at(tenant, "tenantId").lower() for tenant in managing),
    )


def customer_id(document: Document) -> str:
    """The GUID under which a workspace's logs are queried."""
    guid = text_at(document, "properties.customerId")
    if not guid:
        raise AzureUnavailable("the workspace has no customerId")
    return guid
