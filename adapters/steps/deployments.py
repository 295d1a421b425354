"""PUT of a software update configuration."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from adapters.sdk import Hook, Right, document, named, untyped
from adapters.steps.door import Door, began, escaped, since
from engine.ports import StepDone, StepFailed, StepPending, StepProgress, StepStale, texts
from model.deployments import body_to_put, has_targets, same_deployment, start_of, start_text, with_start
from model.documents import Document, at, list_at, text_at
from model.plans import PutDeployment
from model.times import parse_time

if TYPE_CHECKING:
    from azure.mgmt.automation.operations import SoftwareUpdateConfigurationsOperations

LOOK_AGAIN: Final = timedelta(seconds=15)
LONGEST: Final = timedelta(minutes=15)
"""Saving takes seconds; a deployment that is `Provisioning` for longer is stuck."""
AHEAD: Final = timedelta(minutes=10)
"""Azure takes no start that is nearer."""
_TYPE: Final = "Microsoft.Automation/automationAccounts/softwareUpdateConfigurations"
_EDITED: Final = "properties.lastModifiedTime"
_START: Final = "properties.scheduleInfo.startTime"
_NEXT: Final = "properties.scheduleInfo.nextRun"
_MOVED: Final = "startMovedTo"
"""In tokens and results: the start that was sent in the place of the planned one."""


def begin(door: Door, step: PutDeployment, ours: Mapping[str, Document]) -> StepProgress:
    """Save the deployment, where it is what the plan says it is or what this run itself made of it."""
    current = _read(door, step)
    if (held := _held(step, current)) is None:
        if stale := _moved(step, current, ours.get(step.deployment.lower())):
            return stale
    elif _state(current) != "failed":
        return _look(door, step, current, {**began(door), **held})
    body = _body(door, step, current)
    if isinstance(body, StepFailed):
        return body
    deployments, (group, account, name) = _deployments(door, step)

    def save(seen: Hook) -> object:
        return deployments.create(group, account, name, untyped(body), raw_response_hook=seen)

    answer = door.write(Right(action=f"{_TYPE}/write", scope=step.deployment), save)
    return _look(door, step, answer.document, {**began(door, answer.request_id), **_start_moved(step, body)})


def check(door: Door, step: PutDeployment, token: Document) -> StepProgress:
    """Look whether Azure has saved it, and has saved what was sent."""
    return _look(door, step, _read(door, step), token)


def _look(door: Door, step: PutDeployment, current: Document, token: Document) -> StepProgress:
    moved = text_at(token, _MOVED)
    sent = with_start(step.after, moved) if moved else step.after
    match _state(current):
        case "succeeded":
            if change := same_deployment(sent, current):
                kept, wanted = escaped(str(change.after)), escaped(str(change.before))
                return StepFailed(reason=f"Azure kept {change.field} as {kept}, not {wanted}", retry=step.restores)
            return StepDone(result={_MOVED: moved} if moved else {}, request_ids=texts(list_at(token, "requestIds")))
        case "failed":
            error = f"{text_at(current, 'properties.error.code')}: {text_at(current, 'properties.error.message')}"
            return StepFailed(reason=f"provisioningState is Failed: {escaped(error)}", retry=step.restores)
        case state if since(door, token) > LONGEST:
            return StepFailed(
                reason=f"provisioningState is {escaped(state) or 'absent'} for too long", retry=step.restores
            )
        case _:
            return StepPending(look_again=LOOK_AGAIN, token=token)


def _read(door: Door, step: PutDeployment) -> Document:
    deployments, (group, account, name) = _deployments(door, step)
    return document(
        Right(action=f"{_TYPE}/read", scope=step.deployment),
        lambda seen: deployments.get_by_name(group, account, name, raw_response_hook=seen),
    )


def _deployments(
    door: Door, step: PutDeployment
) -> tuple[SoftwareUpdateConfigurationsOperations, tuple[str, str, str]]:
    """The operations, and what they ask for to name one."""
    id_ = named(step.deployment, _TYPE)
    account, name = id_.names
    operations = door.sdk.automation(id_.subscription).software_update_configurations
    return operations, (id_.resource_group, account, name)


def _state(document: Document) -> str:
    return text_at(document, "properties.provisioningState").lower()


def _held(step: PutDeployment, current: Document) -> Document | None:
    """Whether the deployment is already what the step makes of it: what a token then remembers, else None.

    A restoring step holds under another start, too: it may have moved the start itself, before a crash. Only where
    `before` is not what is there, because else there is something left to be put back.
    """
    if same_deployment(current, step.after) is None:
        return {}
    found = text_at(current, _START)
    back = step.restores and same_deployment(step.before, current) is not None
    if back and found and same_deployment(current, with_start(step.after, found)) is None:
        return {_MOVED: found}
    return None


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


def _body(door: Door, step: PutDeployment, current: Document) -> Document | StepFailed:
    """What to send, or why nothing may be, whatever planned it."""
    body = body_to_put(step.after)
    if not has_targets(body):
        return StepFailed(reason="a deployment without a target must not be saved")
    start = start_of(body)
    if start is None:
        return StepFailed(reason="a deployment without a start time cannot be saved")
    if start - door.clock.now() >= AHEAD:
        return body
    near = "the start time is less than 10 minutes ahead, and Azure takes no nearer one"
    if not step.restores:
        return StepFailed(reason=near)
    return _later(door, body, current, near)


def _later(door: Door, body: Document, current: Document, near: str) -> Document | StepFailed:
    """The body with its start moved to the service's own next run, as soon as that is far enough ahead.

    The machine is out of its deployment until then, and giving up would leave it there.
    """
    once = text_at(body, "properties.scheduleInfo.frequency").lower() == "onetime"
    next_run = parse_time(at(current, _NEXT))
    if next_run is None or next_run - door.clock.now() < AHEAD:
        start = start_of(body)
        if once and start is not None and start <= door.clock.now():
            return StepFailed(reason="the only run of the deployment has begun, and it has no later one to start with")
        return StepFailed(reason=f"{near}; waiting for the run to pass", retry=True)
    text = start_text(current, next_run)
    if text is None:
        zone = escaped(text_at(current, "properties.scheduleInfo.timeZone"))
        return StepFailed(reason=f"{near}; the next run cannot be told in the time zone {zone!r}", retry=True)
    return with_start(body, text)


def _start_moved(step: PutDeployment, sent: Document) -> Document:
    return {_MOVED: at(sent, _START)} if at(sent, _START) != at(step.after, _START) else {}
