"""The workspace: saved searches under their ETag, the quota, what is linked to it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError

from tests.simulator.azure import Azure, azure
from tests.simulator.small_estate import RG, SEARCH, WORKSPACE, WORKSPACE_GUID, SmallEstate


@pytest.fixture
def az() -> Iterator[Azure]:
    with azure(SmallEstate().saved_search("Heartbeat | distinct Computer")) as running:
        yield running


def saved(query: str, etag: str | None) -> Any:
    body: dict[str, Any] = {"properties": {"category": "Updates", "displayName": "Scope", "query": query, "version": 2}}
    return body if etag is None else {**body, "etag": etag}


def test_a_search_is_overwritten_under_its_current_etag_only(az: Azure) -> None:
    searches = az.sdk.log_analytics.saved_searches
    etag = searches.get(RG, "law", SEARCH).etag

    newer = searches.create_or_update(RG, "law", SEARCH, saved("Heartbeat | take 1", etag)).etag
    assert newer != etag
    for stale in (etag, None, 'W/"somebody else\'s"'):
        with pytest.raises(ResourceExistsError, match="Newer data exists in the Customer Configuration Store"):
            searches.create_or_update(RG, "law", SEARCH, saved("Heartbeat | take 2", stale))
    kept: Any = searches.get(RG, "law", SEARCH)
    assert kept.query == "Heartbeat | take 1"


def test_a_star_overwrites_whatever_is_there(az: Azure) -> None:
    az.sdk.log_analytics.saved_searches.create_or_update(RG, "law", SEARCH, saved("Heartbeat | take 3", "*"))
    kept: Any = az.sdk.log_analytics.saved_searches.get(RG, "law", SEARCH)
    assert kept.query == "Heartbeat | take 3"


def test_a_new_search_needs_no_etag_and_can_be_deleted(az: Azure) -> None:
    searches = az.sdk.log_analytics.saved_searches
    searches.create_or_update(RG, "law", "updates|new", saved("Heartbeat", None))
    listed: Any = searches.list_by_workspace(RG, "law")
    assert [each.name for each in listed.value] == [SEARCH, "updates|new"]

    searches.delete(RG, "law", "updates|new")
    with pytest.raises(ResourceNotFoundError):
        searches.get(RG, "law", "updates|new")


def test_a_search_without_a_query_is_refused(az: Azure) -> None:
    with pytest.raises(HttpResponseError, match="required"):
        az.sdk.log_analytics.saved_searches.create_or_update(RG, "law", "x", saved("", "*"))


def test_a_patch_changes_what_it_names(az: Azure) -> None:
    workspaces: Any = az.sdk.log_analytics.workspaces
    workspaces.update(RG, "law", {"properties": {"workspaceCapping": {"dailyQuotaGb": 5.0}}})
    workspace = workspaces.get(RG, "law")
    assert workspace.workspace_capping.daily_quota_gb == 5.0
    assert workspace.customer_id == WORKSPACE_GUID
    with pytest.raises(HttpResponseError):
        workspaces.update(RG, "law", {"properties": {"workspaceCapping": {"dailyQuotaGb": 0.001}}})


def test_what_no_table_of_routes_names_is_found_by_its_id(az: Azure) -> None:
    assert az.sdk.resources.resources.check_existence_by_id(WORKSPACE, api_version="2025-07-01")
    assert not az.sdk.resources.resources.check_existence_by_id(f"{WORKSPACE}x", api_version="2025-07-01")
