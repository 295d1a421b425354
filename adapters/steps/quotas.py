"""The daily cap of a Log Analytics workspace."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from adapters.sdk import Hook, Right, document, named, untyped
from adapters.steps.door import Door
from engine.ports import StepDone, StepFailed, StepProgress, StepStale
from model.documents import Document, Json, at
from model.plans import SetDailyQuota
from model.resource_ids import ResourceId

if TYPE_CHECKING:
    from azure.mgmt.loganalytics.operations import WorkspacesOperations

FIELD: Final = "properties.workspaceCapping.dailyQuotaGb"
_TYPE: Final = "Microsoft.OperationalInsights/workspaces"


def begin(door: Door, step: SetDailyQuota) -> StepProgress:
    """Set the cap, where it is what the plan says it is. Everything else in the workspace stays."""
    if step.gb_after <= 0:
        return StepFailed(reason=f"{step.gb_after:g} is no daily cap: one is never taken away")
    workspace = named(step.workspace, _TYPE)
    current = _quota(door, workspace)
    if current == step.gb_after:
        return StepDone()
    if current != step.gb_before:
        return StepStale(field=FIELD, planned=step.gb_before, found=current)
    body: Document = {"properties": {"workspaceCapping": {"dailyQuotaGb": step.gb_after}}}

    def save(seen: Hook) -> object:
        workspaces = _workspaces(door, workspace)
        return workspaces.update(workspace.resource_group, workspace.name, untyped(body), raw_response_hook=seen)

    answer = door.write(Right(action=f"{_TYPE}/write", scope=workspace.text), save)
    return StepDone(request_ids=(answer.request_id,) if answer.request_id else ())


def check(door: Door, step: SetDailyQuota) -> StepProgress:
    """Look whether it is set; setting is never pending, so that this is only asked after a crash."""
    current = _quota(door, named(step.workspace, _TYPE))
    return StepDone() if current == step.gb_after else StepStale(field=FIELD, planned=step.gb_after, found=current)


def _quota(door: Door, workspace: ResourceId) -> Json:
    found = document(
        Right(action=f"{_TYPE}/read", scope=workspace.text),
        lambda seen: _workspaces(door, workspace).get(workspace.resource_group, workspace.name, raw_response_hook=seen),
    )
    return at(found, FIELD)


def _workspaces(door: Door, workspace: ResourceId) -> WorkspacesOperations:
    return door.sdk.log_analytics(workspace.subscription).workspaces
