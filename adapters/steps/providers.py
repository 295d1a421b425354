"""Registration of a resource provider."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from adapters.arm import RESOURCES_API
from adapters.steps.door import Door, began, escaped, failed, since
from engine.ports import StepDone, StepFailed, StepPending, StepProgress, StepStale, texts
from model.documents import Document, list_at, text_at
from model.plans import RegisterProvider

LOOK_AGAIN: Final = timedelta(seconds=30)
LONGEST: Final = timedelta(minutes=30)


def begin(door: Door, step: RegisterProvider) -> StepProgress:
    """Register, unless it is registered or on its way."""
    path = _path(step)
    state = text_at(door.arm.get(path), "registrationState")
    if state.lower() in {"registered", "registering"}:
        return _look(door, state, began(door))
    if state.lower() != step.state_before.lower():
        return StepStale(field="registrationState", planned=step.state_before, found=state)
    answer = door.write("POST", f"{path}/register", api_version=RESOURCES_API)
    if answer.status not in {200, 202}:
        return failed(f"POST {path}/register", answer)
    return _look(door, text_at(answer.document, "registrationState"), began(door, answer.request_id))


def check(door: Door, step: RegisterProvider, token: Document) -> StepProgress:
    """Look how far the registration is."""
    return _look(door, text_at(door.arm.get(_path(step)), "registrationState"), token)


def _path(step: RegisterProvider) -> str:
    return f"/subscriptions/{step.subscription}/providers/{step.namespace}"


def _look(door: Door, state: str, token: Document) -> StepProgress:
    if state.lower() == "registered":
        return StepDone(request_ids=texts(list_at(token, "requestIds")))
    if since(door, token) > LONGEST:
        return StepFailed(reason=f"{escaped(state) or 'no state'} for more than 30 min")
    return StepPending(look_again=LOOK_AGAIN, token=token)
