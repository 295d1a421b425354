"""The table of what machines have to reach."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from remediations.endpoints import CLOUDS, InvalidEndpoints, endpoints, parse_endpoints

FILE = Path(__file__).parents[2] / "remediations" / "data" / "endpoints.json"
GUID = "77777777-0000-4000-8000-000000000001"
GOOD: dict[str, Any] = {
    "cloud": "public",
    "host": "h",
    "port": 443,
    "for": "f",
    "source": "s",
    "reviewed": "2026-01-01",
}


@pytest.mark.parametrize(
    ("cloud", "suffixes"),
    [
        ("public", ["opinsights.azure.com", "azure-automation.net", "blob.core.windows.net"]),
        ("usgovernment", ["opinsights.azure.us", "azure-automation.us", "blob.core.usgovcloudapi.net"]),
        ("china", ["opinsights.azure.cn", "azure-automation.cn", "blob.core.chinacloudapi.cn"]),
    ],
)
def test_each_cloud_has_names_of_its_own_and_none_of_the_others(cloud: str, suffixes: list[str]) -> None:
    ods, oms, agentsvc, automation, blob = endpoints(cloud, GUID)
    azure, worker, storage = suffixes

    assert ods.startswith(f"{GUID}.ods.{azure}:443 ")
    assert oms.startswith(f"{GUID}.oms.{azure}:443 ")
    assert agentsvc.startswith(f"{GUID}.agentsvc.{worker}:443 ")
    assert automation.startswith(f"*.{worker}:443 ")
    assert blob.startswith(f"*.{storage}:443 ")


def test_a_workspace_whose_id_is_not_known_is_any_workspace() -> None:
    assert endpoints("public", "")[0].startswith("*.ods.opinsights.azure.com:443 ")


def test_every_row_has_a_source_and_was_reviewed() -> None:
    rows = parse_endpoints(FILE.read_text(encoding="utf-8"))

    assert {row.cloud for row in rows} == CLOUDS
    assert all(row.source and row.reviewed > date(2024, 8, 31) for row in rows)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "not JSON"),
        ("{}", "not a list"),
        ([1], "row 1"),
        ([{**GOOD, "cloud": "germany"}], "row 1"),
        ([{**GOOD, "port": "443"}], "row 1"),
        ([{**GOOD, "port": 0}], "row 1"),
        ([{**GOOD, "source": ""}], "row 1"),
        ([{**GOOD, "more": ""}], "row 1"),
        ([GOOD, {**GOOD, "reviewed": "lately"}], "row 2"),
    ],
)
def test_a_table_that_is_wrong_is_refused_by_row(text: Any, why: str) -> None:
    with pytest.raises(InvalidEndpoints, match=why):
        parse_endpoints(text if isinstance(text, str) else json.dumps(text))
