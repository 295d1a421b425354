"""PUT of a saved search, under its ETag."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from adapters.sdk import Conflict, Hook, Right, document, named
from adapters.steps.door import Door
from engine.ports import StepDone, StepProgress, StepStale
from model.documents import ABSENT, Change, Document, Json, at, differences, text_at
from model.plans import PutSavedSearch

if TYPE_CHECKING:
    from azure.mgmt.loganalytics.operations import SavedSearchesOperations

COMPARED: Final = ("query", "category", "displayName", "functionAlias")
_TYPE: Final = "Microsoft.OperationalInsights/workspaces/savedSearches"


def begin(door: Door, step: PutSavedSearch, ours: Mapping[str, Document]) -> StepProgress:
    """Save the search, where it is what the plan says it is or what this run itself made of it."""
    current = _read(door, step)
    if _difference(step.after, current) is None:
        return StepDone()
    own = ours.get(step.saved_search.lower())
    if (own is None or _moved(own, current)) and (change := _moved(step.before, current)):
        return StepStale(field=change.field, planned=change.before, found=change.after)
    etag = text_at(current, "etag")
    # The ETag of what has just been read and compared: whoever saves in between makes Azure refuse this one.
    body: Document = {"etag": etag, "properties": at(step.after, "properties")}
    searches, (group, workspace, name) = _searches(door, step)

    def save(seen: Hook) -> object:
        return searches.create_or_update(group, workspace, name, body, raw_response_hook=seen)

    try:
        answer = door.write(Right(action=f"{_TYPE}/write", scope=step.saved_search), save)
    except Conflict:
        return StepStale(field="etag", planned=etag, found=None)
    return StepDone(request_ids=(answer.request_id,) if answer.request_id else ())


def check(door: Door, step: PutSavedSearch) -> StepProgress:
    """Look whether it is saved; saving is never pending, so that this is only asked after a crash."""
    current = _read(door, step)
    if field := _difference(step.after, current):
        return StepStale(field=field, planned=at(step.after, field), found=at(current, field))
    return StepDone()


def _read(door: Door, step: PutSavedSearch) -> Document:
    searches, (group, workspace, name) = _searches(door, step)
    return document(
        Right(action=f"{_TYPE}/read", scope=step.saved_search),
        lambda seen: searches.get(group, workspace, name, raw_response_hook=seen),
    )


def _searches(door: Door, step: PutSavedSearch) -> tuple[SavedSearchesOperations, tuple[str, str, str]]:
    """The operations, and what they ask for to name one."""
    id_ = named(step.saved_search, _TYPE)
    workspace, name = id_.names
    return door.sdk.log_analytics(id_.subscription).saved_searches, (id_.resource_group, workspace, name)


def _moved(planned: Document, found: Document) -> Change | None:
    """The first property in which a search is not what it was: a PUT would overwrite whatever somebody made of it."""
    before, after = ({"properties": at(document, "properties")} for document in (planned, found))
    every = differences(before, after)
    return next((c for c in every if not (_is_nothing(c.before) and _is_nothing(c.after))), None)


def _is_nothing(value: Json) -> bool:
    return value in (ABSENT, "") or value == []


def _difference(planned: Document, found: Document) -> str | None:
    """The first field that a person would call another search; empty counts as absent."""
    fields = (f"properties.{name}" for name in COMPARED)
    return next((field for field in fields if (at(planned, field) or "") != (at(found, field) or "")), None)
