"""PUT of a saved search, under its ETag."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from adapters.steps.door import Door, failed
from engine.ports import StepDone, StepProgress, StepStale
from model.documents import Document, at, text_at
from model.plans import PutSavedSearch

COMPARED: Final = ("query", "category", "displayName", "functionAlias")


def begin(door: Door, step: PutSavedSearch, ours: Mapping[str, Document]) -> StepProgress:
    """Save the search, where it is what the plan says it is or what this run itself made of it."""
    current = door.arm.get(step.saved_search)
    if _difference(step.after, current) is None:
        return StepDone()
    own = ours.get(step.saved_search.lower())
    if (own is None or _difference(own, current)) and (field := _difference(step.before, current)):
        return StepStale(field=field, planned=at(step.before, field), found=at(current, field))
    etag = text_at(current, "etag")
    # The ETag of what has just been read and compared: whoever saves in between makes Azure refuse this one.
    body: Document = {"etag": etag, "properties": at(step.after, "properties")}
    answer = door.write("PUT", step.saved_search, body)
    if answer.status in {409, 412}:
        return StepStale(field="etag", planned=etag, found=None)
    if answer.status not in {200, 201}:
        return failed(f"PUT {step.saved_search}", answer, restores=step.restores)
    return StepDone(request_ids=(answer.request_id,) if answer.request_id else ())


def check(door: Door, step: PutSavedSearch) -> StepProgress:
    """Look whether it is saved; saving is never pending, so that this is only asked after a crash."""
    current = door.arm.get(step.saved_search)
    if field := _difference(step.after, current):
        return StepStale(field=field, planned=at(step.after, field), found=at(current, field))
    return StepDone()


def _difference(planned: Document, found: Document) -> str | None:
    """The first field that a person would call another search; empty counts as absent."""
    fields = (f"properties.{name}" for name in COMPARED)
    return next((field for field in fields if (at(planned, field) or "") != (at(found, field) or "")), None)
