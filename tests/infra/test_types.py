"""Resource types, API versions and property names, held against Microsoft's own descriptions of them.

What `../shared` holds no description of is left out, by name, and the list of it is part of the test.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from model.documents import Document, Json
from tests.infra.bicep import Resource, templates
from tests.support.parts import shared

DESCRIBED = {
    "Microsoft.Insights/actionGroups": ("actionGroups_API.json", "ActionGroupResource"),
    "Microsoft.Insights/scheduledQueryRules": ("scheduledQueryRule_API.json", "ScheduledQueryRuleResource"),
    "Microsoft.OperationalInsights/workspaces": ("Workspaces.json", "Workspace"),
}
"""The resource types whose description is at hand: its file below the version's folder, and its definition."""
LEFT_OUT = {
    "Microsoft.AlertsManagement/actionRules",
    "Microsoft.Authorization/roleAssignments",
    "Microsoft.Authorization/roleDefinitions",
    "Microsoft.Insights/components",
    "Microsoft.ManagedIdentity/userAssignedIdentities",
    "Microsoft.Network/networkSecurityGroups",
    "Microsoft.Network/privateDnsZones",
    "Microsoft.Network/privateDnsZones/virtualNetworkLinks",
    "Microsoft.Network/privateEndpoints",
    "Microsoft.Network/privateEndpoints/privateDnsZoneGroups",
    "Microsoft.Network/virtualNetworks",
    "Microsoft.Network/virtualNetworks/subnets",
    "Microsoft.Resources/resourceGroups",
    "Microsoft.Storage/storageAccounts",
    "Microsoft.Storage/storageAccounts/blobServices",
    "Microsoft.Storage/storageAccounts/blobServices/containers",
    "Microsoft.Web/serverfarms",
    "Microsoft.Web/sites",
    "Microsoft.Web/sites/basicPublishingCredentialsPolicies",
    "Microsoft.Web/sites/config",
}
"""All others. Each was compared once, by hand, with the type definitions that Bicep itself uses."""


def every() -> list[Resource]:
    return [one for template in templates() for one in template.resources]


def described() -> list[Resource]:
    return [one for one in every() if one.kind in DESCRIBED]


def test_every_resource_type_is_judged_or_left_out_by_name() -> None:
    assert {one.kind for one in every()} == DESCRIBED.keys() | LEFT_OUT


def test_one_version_of_a_resource_type_is_used_throughout() -> None:
    versions: dict[str, set[str]] = {}
    for one in every():
        versions.setdefault(one.kind, set()).add(one.version)
    assert {kind: found for kind, found in versions.items() if len(found) > 1} == {}


@pytest.mark.parametrize("resource", described(), ids=lambda one: f"{one.file.stem}-{one.name}")
def test_a_resource_sets_properties_that_there_are(resource: Resource) -> None:
    """None that Azure does not know, none that it only answers, and all that it insists on."""
    file, definition = DESCRIBED[resource.kind]
    namespace = resource.kind.partition("/")[0]
    path = shared("azure-specs") / namespace / resource.version / file
    assert path.is_file(), f"{resource.kind} has no version {resource.version}"
    if resource.existing:
        return
    known = dict(_known(_spec(path)["definitions"], definition))
    # The name, the parent and so on are Bicep's.
    given = {path for path in resource.properties() if path[0] not in {"name", "parent", "scope", "dependsOn"}}
    assert {".".join(path) for path in given if not _is_known(path, known)} == set()


def test_a_property_that_does_not_exist_would_be_found() -> None:
    path = shared("azure-specs/Microsoft.Insights/2023-01-01/actionGroups_API.json")
    known = dict(_known(_spec(path)["definitions"], "ActionGroupResource"))
    assert _is_known(("properties", "webhookReceivers", "serviceUri"), known)
    assert not _is_known(("properties", "webhookReceivers", "serviceUrl"), known)
    assert not _is_known(("properties", "webhookReceiver"), known)


@cache
def _spec(path: Path) -> Document:
    parsed: Json = json.loads(path.read_text(encoding="utf-8-sig"))
    assert isinstance(parsed, dict)
    return parsed


def _is_known(path: tuple[str, ...], known: dict[tuple[str, ...], bool]) -> bool:
    """True also for what lies below an object of any members."""
    return any(known.get(path[:length]) is True for length in range(1, len(path))) or path in known


def _known(definitions: Json, name: str, before: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], bool]]:
    """Every path that may be set, and whether it is an object of any members."""
    assert isinstance(definitions, dict)
    schema = definitions.get(name)
    yield from _members(definitions, schema, before)


def _members(definitions: Json, schema: Json, before: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], bool]]:
    if not isinstance(schema, dict) or len(before) > 8:
        return
    if isinstance(reference := schema.get("$ref"), str):
        if reference.startswith("#/definitions/"):
            yield from _known(definitions, reference.rpartition("/")[2], before)
        elif not before:
            # What every resource has, from a file that all services share.
            yield from (((name,), name == "tags") for name in ("location", "tags"))
        return
    for part in schema.get("allOf") or ():  # type: ignore[union-attr] # a list, where it is there
        yield from _members(definitions, part, before)
    if isinstance(items := schema.get("items"), dict):
        yield from _members(definitions, items, before)
    properties = schema.get("properties")
    for name, inner in properties.items() if isinstance(properties, dict) else ():
        if isinstance(inner, dict) and not inner.get("readOnly"):
            yield (*before, name), "additionalProperties" in inner
            yield from _members(definitions, inner, (*before, name))
