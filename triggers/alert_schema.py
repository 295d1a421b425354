"""The common alert schema of Azure Monitor, read into what a sweep needs to know. Pure.

What an alert says is data from outside: names and ids in it are compared with what the estate holds and go nowhere
else, and nothing in it widens what the app may touch.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from engine.requests import MOST_NAMED, InvalidRequest, states_in
from engine.settings import Settings
from model.documents import Document, Json, at, list_at, text_at
from model.resource_ids import InvalidResourceId, ResourceId
from model.states import FailureState

SCHEMA: Final = "azureMonitorCommonAlertSchema"

# What log queries and metrics call the things that a sweep can be narrowed to, in lower case.
_COMPUTERS: Final = frozenset({"computer", "targetcomputer"})
_RESOURCES: Final = frozenset({"_resourceid", "resourceid", "targetresourceid", "machineid"})
"""The last is what our own queries call a machine's resource id."""
_DEPLOYMENTS: Final = frozenset({"softwareupdateconfigurationname"})
_LOG_SERVICES: Final = frozenset({"log analytics", "log alerts v2"})
"""Services whose `configurationItems` are computers; others put names of all kinds there."""
_PROPERTIES: Final = ("patchwright.state", "patchwright.states")
"""Custom properties of an alert rule that name the failure states it is about."""

_STATES: Final[Mapping[tuple[str, str], frozenset[FailureState]]] = {
    ("status", "maintenancewindowexceeded"): frozenset({FailureState.MAINTENANCE_WINDOW_EXCEEDED}),
    # Clones take turns under one identity, which looks like a change of identity: both are looked at together.
    ("status", "failedtostart"): frozenset({FailureState.SOURCE_ID_CHANGED, FailureState.CLONED_MACHINE}),
    ("operationname", "microsoft.automation/unregister/action"): frozenset({FailureState.AUTOMATION_RP_NOT_REGISTERED}),
}
"""What a fact of an alert says about the failure state; anything that is not here means all states."""
_TELLING: Final = frozenset(fact for fact, _ in _STATES)


type Facts = tuple[tuple[str, str], ...]
"""Dimensions or columns that belong together: lower-case name, value as it came."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One alert, as far as it matters here."""

    key: str
    """The same for the same alert delivered again."""
    rule: str
    fired: bool
    """False for one that tells that it is over."""
    targets: tuple[str, ...]
    """Resource ids that the alert is about, as Azure spelled them."""
    facts: tuple[Facts, ...]
    """What each of its conditions, or each row behind it, says."""
    items: tuple[str, ...]
    """The computers that a log alert names beside its conditions; empty for other alerts."""
    states: tuple[FailureState, ...] | None
    """What its custom properties name; None where they name none."""


def alert_in(body: Document) -> Alert:
    """Read a body. Raises `InvalidRequest` for another schema, or for one that lacks what is needed."""
    if body.get("schemaId") != SCHEMA:
        found = body.get("schemaId")
        said = f"is {found!r:.80}" if found is not None else "is missing"
        raise InvalidRequest(
            "schemaId", f"must be {SCHEMA}, {said}; enable the common alert schema in the action group"
        )
    essentials = at(body, "data.essentials")
    if not isinstance(essentials, dict):
        raise InvalidRequest("data.essentials", "must be an object")
    condition = essentials.get("monitorCondition")
    if not isinstance(condition, str) or condition.lower() not in {"fired", "resolved"}:
        raise InvalidRequest("data.essentials.monitorCondition", f"must be Fired or Resolved, is {condition!r:.80}")
    targets = essentials.get("alertTargetIDs")
    # A budget's alert is about none.
    if targets is not None and not isinstance(targets, list):
        raise InvalidRequest("data.essentials.alertTargetIDs", "must be a list or null")
    context = at(body, "data.alertContext")
    context = context if isinstance(context, dict) else {}
    return Alert(
        key=_key(essentials),
        rule=text_at(essentials, "alertRule"),
        fired=condition.lower() == "fired",
        targets=tuple(target for target in targets or [] if isinstance(target, str)),
        facts=tuple(dict.fromkeys(facts for facts in _facts(context) if facts)),
        items=_items(essentials),
        states=_named_states(body, context),
    )


def states_of(alert: Alert) -> tuple[FailureState, ...] | None:
    """The states to look for: those named by the rule's author, else those that the facts tell; None means all."""
    if alert.states is not None:
        return alert.states
    telling = [(name, value.lower()) for facts in alert.facts for name, value in facts if name in _TELLING]
    if not telling or any(fact not in _STATES for fact in telling):
        return None
    told = frozenset[FailureState]().union(*(_STATES[fact] for fact in telling))
    return tuple(state for state in FailureState if state in told)


def machines_of(alert: Alert, settings: Settings) -> tuple[str, ...]:
    """The selection of a sweep: what the alert is about, as far as it lies in the configured scope. Empty for nothing.

    Machines and deployments in the alert's dimensions narrow its targets down; they never reach beyond the scope.
    """
    targets = tuple(dict.fromkeys(id_ for target in alert.targets if (id_ := _watched(target, settings))))
    if not targets:
        return ()
    narrower = tuple(dict.fromkeys(one for facts in alert.facts for one in _narrower(facts, settings)))
    narrower = narrower or tuple(f"name:{item.lower()}" for item in alert.items)
    # A list too long to be taken is about everything that its targets hold.
    return narrower if 0 < len(narrower) <= MOST_NAMED else targets


def _narrower(facts: Facts, settings: Settings) -> Iterator[str]:
    """What one condition or row is about. A name counts only where nothing beside it is an identity."""
    ids: list[str] = []
    names: list[str] = []
    for name, value in facts:
        if name in _RESOURCES or (name in _COMPUTERS and value.startswith("/")):
            ids.append(_watched(value, settings))
        elif name in _COMPUTERS:
            names.append(f"name:{value.lower()}")
        elif name in _DEPLOYMENTS and "/" not in value:
            # Only compared with the deployments there are; the account's own list is what is read.
            try:
                yield ResourceId.parse(f"{settings.account}/softwareUpdateConfigurations/{value}").key
            except InvalidResourceId:
                continue
    yield from [id_ for id_ in ids if id_] or names


def _watched(target: str, settings: Settings) -> str:
    """The id, or the nearest thing around it, that a sweep can be narrowed to; empty where it is none of ours."""
    try:
        whole = ResourceId.parse(target.strip())
    except InvalidResourceId:
        return ""
    if whole.subscription.lower() not in settings.subscriptions and not _estate(whole, settings):
        return ""
    parts = whole.key.rstrip("/").split("/")
    # From the thing itself outwards: an extension of a machine is about the machine.
    for length in range(len(parts), 2, -2):
        id_ = "/".join(parts[:length])
        try:
            here = ResourceId.parse(id_)
        except InvalidResourceId:
            continue
        if here.namespace and here.names and (here.is_type("Microsoft.Compute/virtualMachines") or _is_arc(here)):
            return id_
        if here.is_type("Microsoft.Automation/automationAccounts/softwareUpdateConfigurations") and _estate(
            here, settings
        ):
            return id_
        if id_ in {settings.account.lower(), settings.workspace.lower()}:
            return id_
        if not here.namespace:
            # Only an alert about the group or the subscription itself is about everything in it.
            return id_ if length == len(parts) else ""
    return ""


def _is_arc(id_: ResourceId) -> bool:
    return id_.is_type("Microsoft.HybridCompute/machines")


def _estate(id_: ResourceId, settings: Settings) -> bool:
    """True for the configured account and workspace and for what is in them."""
    around = settings.account.lower(), settings.workspace.lower()
    return any(id_.key == one or id_.key.startswith(f"{one}/") for one in around)


def _key(essentials: Document) -> str:
    # An activity log alert's `alertId` is its rule's, so the id alone does not tell two alerts apart.
    names = ("alertId", "originAlertId", "alertRule", "firedDateTime")
    identity = "\n".join(f"{name}={text_at(essentials, name).lower()}" for name in names)
    return hashlib.sha256(identity.encode("utf-8", "surrogatepass")).hexdigest()


def _facts(context: Document) -> Iterator[Facts]:
    """Everything that an alert says about what it is about: dimensions, columns of its rows, its operation."""
    for condition in [context, *(one for one in list_at(context, "condition.allOf") if isinstance(one, dict))]:
        # The older log alerts write them with a capital.
        dimensions = [*list_at(condition, "dimensions"), *list_at(condition, "Dimensions")]
        yield tuple(
            fact for one in dimensions if isinstance(one, dict) for fact in _fact(one.get("name"), one.get("value"))
        )
    for table in list_at(context, "SearchResults.tables"):
        if isinstance(table, dict):
            columns = [text_at(one, "name") if isinstance(one, dict) else "" for one in list_at(table, "columns")]
            for row in list_at(table, "rows"):
                cells = row if isinstance(row, list) else []
                yield tuple(fact for name, cell in zip(columns, cells, strict=False) for fact in _fact(name, cell))
    yield tuple(_fact("operationName", context.get("operationName")))


def _fact(name: Json, value: Json) -> Iterator[tuple[str, str]]:
    """Nothing where it says nothing here; `*` is how a dimension says that it is not split."""
    if isinstance(name, str) and isinstance(value, str) and value.strip() not in {"", "*"}:
        known = name.strip().lower()
        if known in _COMPUTERS | _RESOURCES | _DEPLOYMENTS | _TELLING:
            yield known, value.strip()


def _items(essentials: Document) -> tuple[str, ...]:
    if text_at(essentials, "monitoringService").lower() not in _LOG_SERVICES:
        return ()
    listed = list_at(essentials, "configurationItems")
    return tuple(item.strip() for item in listed if isinstance(item, str) and item.strip())


def _named_states(body: Document, context: Document) -> tuple[FailureState, ...] | None:
    for place, where in (
        ("data.customProperties", at(body, "data.customProperties")),
        ("customProperties", body.get("customProperties")),
        ("data.alertContext.properties", context.get("properties")),
    ):
        for name in _PROPERTIES:
            value = where.get(name) if isinstance(where, dict) else None
            if value is not None:
                listed: Json = [*filter(None, value.replace(",", " ").split())] if isinstance(value, str) else value
                return states_in(listed, f"{place}.{name}")
    return None
