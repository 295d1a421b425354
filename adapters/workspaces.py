"""The Log Analytics workspace and the agents that were pointed at one, read from Resource Manager."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from adapters import graph
from adapters.arm import Arm, id_of
from engine.ports import AzureUnavailable, NotFound
from model.documents import Document, at, text_at
from model.facts import AgentExtension, LogWorkspace
from model.resource_ids import ResourceId
from model.times import parse_time

PACK: Final = "Updates"
"""The intelligence pack, and the gallery's solution, of Update Management."""


def log_workspace(arm: Arm, account: str, workspace: str) -> LogWorkspace:
    """The workspace, its link to the account as either of them tells it, and its Updates solution: five requests.

    Raises:
        NotFound: the workspace or the account does not exist.
        PermissionMissing, AzureUnavailable: as `Arm.get`; one of them is enough, because half of it misleads.
    """
    document = arm.get(workspace)
    capping = "properties.workspaceCapping"
    quota = at(document, f"{capping}.dailyQuotaGb")
    return LogWorkspace(
        arm_id=text_at(document, "id") or workspace,
        name=text_at(document, "name") or workspace.rsplit("/", 1)[-1],
        guid=text_at(document, "properties.customerId").lower(),
        ingestion=text_at(document, f"{capping}.dataIngestionStatus").lower(),
        daily_quota_gb=None if isinstance(quota, bool) or not isinstance(quota, int | float) else float(quota),
        quota_resets=parse_time(at(document, f"{capping}.quotaNextResetTime")),
        sku=text_at(document, "properties.sku.name"),
        account_links_to=text_at(arm.get(f"{account}/linkedWorkspace"), "id").rstrip("/").lower(),
        linked_account=_linked_account(arm, workspace),
        has_solution=_found(arm, updates_solution(workspace)) is not None,
        pack_enabled=_pack_enabled(arm, workspace),
    )


def updates_solution(workspace: str) -> str:
    """Resource id of the Updates solution of a workspace, whether it exists or not."""
    id_ = ResourceId.parse(workspace)
    group = f"/subscriptions/{id_.subscription}/resourceGroups/{id_.resource_group}"
    return f"{group}/providers/Microsoft.OperationsManagement/solutions/{PACK}({id_.name})"


def agent_extensions(arm: Arm, subscriptions: Sequence[str]) -> tuple[AgentExtension, ...]:
    """Every extension of the Log Analytics agent, in pages. Raises as `graph.rows`."""
    return tuple(map(_agent, graph.rows(arm, graph.kql("agents"), subscriptions)))


def _agent(row: Document) -> AgentExtension:
    machine, parted, _ = id_of(row, "Resource Graph").lower().rpartition("/extensions/")
    if not parted:
        raise AzureUnavailable("Resource Graph: an extension came that belongs to no machine")
    return AgentExtension(
        machine_id=machine,
        name=text_at(row, "name"),
        kind=text_at(row, "agent"),
        workspace_guid=text_at(row, "workspaceId").lower(),
    )


def _linked_account(arm: Arm, workspace: str) -> str:
    service = _found(arm, f"{workspace}/linkedServices/Automation")
    return text_at(service or {}, "properties.resourceId").rstrip("/").lower()


def _pack_enabled(arm: Arm, workspace: str) -> bool:
    packs = arm.bare_list(f"{workspace}/intelligencePacks")
    return any(text_at(pack, "name").lower() == PACK.lower() and pack.get("enabled") is True for pack in packs)


def _found(arm: Arm, path: str) -> Document | None:
    """None for a 404, and for nothing else: a refusal is no absence."""
    try:
        return arm.get(path)
    except NotFound:
        return None
