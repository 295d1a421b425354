"""PUT of a software update configuration."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from adapters.steps.door import Door, began, escaped, failed, since
from engine.ports import StepDone, StepFailed, StepPending, StepProgress, StepStale, texts
from model.deployments import body_to_put, has_targets, same_deployment, start_of
from model.documents import Document, at, list_at, text_at
from model.plans import PutDeployment
from model.times import parse_time

LOOK_AGAIN: Final = timedelta(seconds=15)
LONGEST: Final = timedelta(minutes=15)
"""Saving takes seconds; a deployment that is `Provisioning` for longer is stuck."""
AHEAD: Final = timedelta(minutes=10)
"""Azure takes no start that is nearer."""
_EDITED: Final = "properties.lastModifiedTime"


def begin(door: Door, step: PutDeployment, ours: Mapping[str, Document]) -> StepProgress:
    """Save the deployment, where it is what the plan says it is or what this run itself made of it."""
    current = door.arm.get(step.deployment)
    if same_deployment(current, step.after) is None and _state(current) != "failed":
        return _look(door, step, current, began(door))
    if stale := _moved(step, current, ours.get(step.deployment.lower())):
        return stale
    if refusal := _unsafe(door, step):
        return refusal
    answer = door.write("PUT", step.deployment, body_to_put(step.after))
    if answer.status not in {200, 201}:
        return failed(f"PUT {step.deployment}", answer, restores=step.restores)
    return _look(door, step, answer.document, began(door, answer.request_id))


def check(door: Door, step: PutDeployment, token: Document) -> StepProgress:
    """Look whether Azure has saved it, and has saved what was sent."""
    return _look(door, step, door.arm.get(step.deployment), token)


def _look(door: Door, step: PutDeployment, current: Document, token: Document) -> StepProgress:
    match _state(current):
        case "succeeded":
            if change := same_deployment(step.after, current):
                kept, sent = escaped(str(change.after)), escaped(str(change.before))
                return StepFailed(reason=f"Azure kept {change.field} as {kept}, not {sent}", retry=step.restores)
            return StepDone(request_ids=texts(list_at(token, "requestIds")))
        case "failed":
            error = f"{text_at(current, 'properties.error.code')}: {text_at(current, 'properties.error.message')}"
            return StepFailed(reason=f"provisioningState is Failed: {escaped(error)}", retry=step.restores)
        case state if since(door, token) > LONGEST:
            return StepFailed(
                reason=f"provisioningState is {escaped(state) or 'absent'} for too long", retry=step.restores
            )
        case _:
            return StepPending(look_again=LOOK_AGAIN, token=token)


def _state(document: Document) -> str:
    return text_at(document, "properties.provisioningState").lower()


def _moved(step: PutDeployment, current: Document, ours: Document | None) -> StepStale | StepFailed | None:
    """Whether somebody else has changed the deployment since it was read for the plan."""
    if ours is not None and same_deployment(ours, current) is None:
        return None
    if change := same_deployment(step.before, current):
        return StepStale(field=change.field, planned=change.before, found=change.after)
    planned, found = at(step.before, _EDITED), at(current, _EDITED)
    # The same content saved anew is an edit all the same: somebody is at work on it.
    if planned is not None and parse_time(planned) != parse_time(found):
        return StepStale(field=_EDITED, planned=planned, found=found)
    if _state(current) not in {"succeeded", "failed"}:
        return StepFailed(reason=f"the deployment is not settled: {escaped(_state(current)) or 'no state'}", retry=True)
    return None


def _unsafe(door: Door, step: PutDeployment) -> StepFailed | None:
    """What must not be saved, whatever planned it."""
    if not has_targets(step.after):
        return StepFailed(reason="a deployment without a target must not be saved")
    start = start_of(step.after)
    if start is None:
        return StepFailed(reason="a deployment without a start time cannot be saved")
    if start - door.clock.now() < AHEAD:
        return StepFailed(reason="the start time is less than 10 minutes ahead, and Azure takes no nearer one")
    return None
