"""Resource Graph: the estate's resources as a table that Kusto queries."""

from __future__ import annotations

import json
import tempfile
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import duckdb_kql

from model.documents import Document, Json, at, list_at, text_at
from model.resource_ids import InvalidResourceId, ResourceId
from simulator import kql
from simulator.kql import Result
from simulator.resources import ResourceStore
from simulator.schemas import DUCKDB_TYPES

TRACKED: Final = (
    "Microsoft.Compute/virtualMachines",
    "Microsoft.Compute/virtualMachines/extensions",
    "Microsoft.HybridCompute/machines",
    "Microsoft.HybridCompute/machines/extensions",
    "Microsoft.Automation/automationAccounts",
    "Microsoft.OperationalInsights/workspaces",
    "Microsoft.OperationsManagement/solutions",
)
"""Types that Resource Graph shows in `resources`; of what lies below them, extensions only."""
CHANGES: Final = ("Microsoft.Resources/changes",)
"""What `resourcechanges` shows: a document for each change, below the resource that changed."""
CONTAINERS: Final = ("Microsoft.Resources/subscriptions", "Microsoft.Resources/subscriptions/resourceGroups")
_COLUMNS: Final = {
    "id": "string",
    "name": "string",
    "type": "string",
    "tenantId": "string",
    "kind": "string",
    "location": "string",
    "resourceGroup": "string",
    "subscriptionId": "string",
    "managedBy": "string",
    "sku": "dynamic",
    "plan": "dynamic",
    "properties": "dynamic",
    "tags": "dynamic",
    "identity": "dynamic",
    "zones": "dynamic",
    "extendedLocation": "dynamic",
}
_TABLES: Final = {"resources": TRACKED, "resourcechanges": CHANGES, "resourcecontainers": CONTAINERS}
_NAMES: Final = kql.Names.of(dict.fromkeys(_TABLES, _COLUMNS), tables_in_any_case=True)
"""Resource Graph takes its tables' names in any case."""
_KEPT_RESULTS: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphResult:
    """A query's whole answer, from which pages are cut."""

    token: str
    result: Result
    rows: list[dict[str, Json]]


class Inventory:
    """Resource Graph's tables, made anew when something they show has changed."""

    def __init__(self, resources: ResourceStore) -> None:
        self.resources = resources
        self._connection = duckdb_kql.connect()
        self._shown: tuple[int, ...] | None = None
        self._results: dict[str, GraphResult] = {}
        self._count = 0

    def query(self, text: str, subscriptions: Iterable[str], now: datetime) -> GraphResult:
        """Run a query over some subscriptions (all where none is given). Raises `QueryRejected`."""
        self.refresh()
        names = [name.lower() for name in subscriptions]
        self._connection.execute("SET VARIABLE subscriptions = ?", [names])
        result = kql.execute(self._connection, text, now, _NAMES)
        self._count += 1
        token = str(uuid.uuid5(uuid.NAMESPACE_OID, f"{self._count}"))
        answer = GraphResult(token=token, result=result, rows=result.objects())
        self._results[token] = answer
        while len(self._results) > _KEPT_RESULTS:
            self._results.pop(next(iter(self._results)))
        return answer

    def continued(self, token: str) -> GraphResult | None:
        """The answer that a skip token belongs to, while it is kept."""
        return self._results.get(token)

    def close(self) -> None:
        self._connection.close()

    def refresh(self) -> None:
        """Show what there is now; cheap where nothing has changed."""
        versions = tuple(self.resources.versions[name.lower()] for types in _TABLES.values() for name in types)
        if versions == self._shown:
            return
        self._shown = versions
        for table, types in _TABLES.items():
            self._fill(table, types)

    def _fill(self, table: str, types: tuple[str, ...]) -> None:
        columns = ", ".join(f"{name}: '{DUCKDB_TYPES[kind]}'" for name, kind in _COLUMNS.items())
        with tempfile.NamedTemporaryFile("w", suffix=".ndjson", encoding="utf-8") as file:
            for document in self.resources.of_type(*types):
                file.write(json.dumps(_row(document), separators=(",", ":")) + "\n")
            file.flush()
            self._connection.execute(
                f"CREATE OR REPLACE TABLE {table}__rows AS SELECT * "  # noqa: S608 - names are ours
                f"FROM read_json('{file.name}', format='newline_delimited', columns={{{columns}}})"
            )
        self._connection.execute(
            f"CREATE OR REPLACE VIEW {table} AS SELECT * FROM {table}__rows WHERE "  # noqa: S608 - names are ours
            "len(getvariable('subscriptions')) = 0 "
            "OR list_contains(getvariable('subscriptions'), lower(subscriptionId))"
        )


def _row(document: Document) -> Document:
    try:
        parsed = ResourceId.parse(str(document["id"]))
        subscription, group = parsed.subscription, parsed.resource_group.lower()
    except InvalidResourceId:
        subscription, group = "", ""
    row: Document = {name: document.get(name) for name in _COLUMNS}
    text: Document = {name: "" for name, kind in _COLUMNS.items() if kind == "string"}
    row |= {name: row[name] or "" for name in text}
    return row | {
        "name": text_at(document, "name") or text_at(document, "displayName"),
        "type": str(document["type"]).lower(),
        "resourceGroup": group,
        "subscriptionId": subscription,
        "properties": _properties(document),
    }


def _properties(document: Document) -> Json:
    """Resource Graph keeps a VM's instance view under `extended`, with the power state as an object of its own."""
    properties = document.get("properties")
    if not isinstance(properties, dict) or "instanceView" not in properties:
        return properties
    view = properties["instanceView"]
    shown = {key: value for key, value in properties.items() if key != "instanceView"}
    if not isinstance(view, dict):
        return shown
    power = next(
        (s for s in list_at(view, "statuses") if isinstance(s, dict) and text_at(s, "code").startswith("PowerState/")),
        None,
    )
    kept: Document = {key: at(view, key) for key in ("computerName", "osName", "osVersion") if key in view}
    if power:
        kept["powerState"] = power
    return {**shown, "extended": {"instanceView": kept}}
