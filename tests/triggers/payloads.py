"""Alerts for tests: Microsoft's own samples, and builders that name what a case is about."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import pytest
from _pytest.mark import ParameterSet

from model.documents import Document, Json
from tests.support.parts import SHARED

SAMPLES: Final = "azure-specs/alerts/common-schema"
_numbers = itertools.count()


def samples(folder: str) -> list[ParameterSet]:
    """One case for each file of a folder, or one that says what was left out."""
    files = sorted((SHARED / SAMPLES / folder).glob("*.json"))
    if not files:
        skip = pytest.mark.skip(reason="left out: ../shared is not beside this clone")
        return [pytest.param(Path("none"), marks=skip)]
    return [pytest.param(file, id=file.stem) for file in files]


def read(file: Path) -> Document:
    parsed: Json = json.loads(file.read_text(encoding="utf-8-sig"))
    assert isinstance(parsed, dict)
    return parsed


def an_alert(
    *targets: str,
    dimensions: Mapping[str, str] | None = None,
    rows: Sequence[Mapping[str, Json]] = (),
    items: Sequence[str] = (),
    properties: Mapping[str, Json] | None = None,
    service: str = "Log Alerts V2",
    condition: str = "Fired",
    operation: str = "",
    essentials: Mapping[str, Json] | None = None,
) -> Document:
    """An alert as Azure Monitor would send it; each is another alert unless its ids are given."""
    number = next(_numbers)
    context: Document = {
        "conditionType": "LogQueryCriteria",
        "condition": {
            "windowSize": "PT1H",
            "allOf": [{"dimensions": [{"name": name, "value": value} for name, value in (dimensions or {}).items()]}],
        },
    }
    if rows:
        columns = list(rows[0])
        context["SearchResults"] = {
            "tables": [
                {
                    "name": "PrimaryResult",
                    "columns": [{"name": name, "type": "string"} for name in columns],
                    "rows": [[row.get(name) for name in columns] for row in rows],
                }
            ]
        }
    if operation:
        context["operationName"] = operation
    return {
        "schemaId": "azureMonitorCommonAlertSchema",
        "data": {
            "essentials": {
                "alertId": f"/subscriptions/x/providers/Microsoft.AlertsManagement/alerts/{number}",
                "alertRule": "patching",
                "severity": "Sev2",
                "signalType": "Log",
                "monitorCondition": condition,
                "monitoringService": service,
                "alertTargetIDs": [*targets],
                "configurationItems": [*items],
                "originAlertId": f"origin-{number}",
                "firedDateTime": "2026-03-10T05:58:03.6260000Z",
                **(essentials or {}),
            },
            "alertContext": context,
            "customProperties": None if properties is None else dict(properties),
        },
    }
