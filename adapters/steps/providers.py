"""Registration of a resource provider."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from adapters.sdk import Right, document, proper
from adapters.steps.door import Door, began, escaped, since
from engine.ports import StepDone, StepFailed, StepPending, StepProgress, StepStale, texts
from model.documents import Document, list_at, text_at
from model.plans import RegisterProvider

if TYPE_CHECKING:
    from azure.mgmt.resource.resources.operations import ProvidersOperations

LOOK_AGAIN: Final = timedelta(seconds=30)
LONGEST: Final = timedelta(minutes=30)


def begin(door: Door, step: RegisterProvider) -> StepProgress:
    """Register, unless it is registered or on its way."""
    state = _state(door, step)
    if state.lower() in {"registered", "registering"}:
        return _look(door, state, began(door))
    if state.lower() != step.state_before.lower():
        return StepStale(field="registrationState", planned=step.state_before, found=state)
    providers = _providers(door, step)
    answer = door.write(
        Right(action=f"{step.namespace}/register/action", scope=f"/subscriptions/{step.subscription}"),
        lambda seen: providers.register(step.namespace, raw_response_hook=seen),
    )
    return _look(door, text_at(answer.document, "registrationState"), began(door, answer.request_id))


def check(door: Door, step: RegisterProvider, token: Document) -> StepProgress:
    """Look how far the registration is."""
    return _look(door, _state(door, step), token)


def _state(door: Door, step: RegisterProvider) -> str:
    providers = _providers(door, step)
    found = document(
        Right(
            action="Microsoft.Resources/subscriptions/providers/read",
            scope=f"/subscriptions/{step.subscription}/providers/{step.namespace}",
        ),
        lambda seen: providers.get(step.namespace, raw_response_hook=seen),
    )
    return text_at(found, "registrationState")


def _providers(door: Door, step: RegisterProvider) -> ProvidersOperations:
    proper(step.subscription, step.namespace)
    return door.sdk.resources(step.subscription).providers


def _look(door: Door, state: str, token: Document) -> StepProgress:
    if state.lower() == "registered":
        return StepDone(request_ids=texts(list_at(token, "requestIds")))
    if since(door, token) > LONGEST:
        return StepFailed(reason=f"{escaped(state) or 'no state'} for more than 30 min")
    return StepPending(look_again=LOOK_AGAIN, token=token)
