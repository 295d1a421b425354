"""Whether a plan made now is the plan that was saved: the second look before anything is changed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from itertools import zip_longest

from model.deployments import same_deployment
from model.documents import Change, Document, Json, at, differences
from model.plans import (
    AwaitIdentity,
    Plan,
    PutDeployment,
    PutSavedSearch,
    RegisterProvider,
    RunScript,
    SetDailyQuota,
    StartMachine,
    Step,
)
from model.times import parse_time

_EDITED = "properties.lastModifiedTime"


def moved(saved: Plan, fresh: Plan, ours: Mapping[str, Document]) -> Change | None:
    """The first difference that matters, or None where the fresh plan does what the saved one says.

    `ours` maps a lower-case resource id to the body that this run itself wrote there: the world may have moved by our
    own hand only. Reasons and evidence are for people and are not compared.
    """
    if saved.remediation != fresh.remediation:
        return Change(field="remediation", before=saved.remediation, after=fresh.remediation)
    if len(saved.steps) != len(fresh.steps):
        return Change(field="steps", before=len(saved.steps), after=len(fresh.steps))
    written: set[str] = set()
    for number, (before, after) in enumerate(zip_longest(saved.steps, fresh.steps)):
        # Only the first step at a target meets the world; a later one meets what the plan itself has made of it.
        met = {} if target_of(before) in written else ours
        written.add(target_of(before))
        if change := _step_moved(before, after, met):
            return Change(field=f"steps[{number}].{change.field}", before=change.before, after=change.after)
    return None


def edited(saved: Plan, documents: Mapping[str, Document], ours: Mapping[str, Document]) -> Change | None:
    """The first difference between the deployments that a saved plan was made from and those that are there now.

    This tells what somebody changed where no plan can be made any more; `documents` are by lower-case resource id.
    """
    # Only the first step at a deployment was planned from what Azure had.
    first: dict[str, tuple[int, PutDeployment]] = {}
    for number, step in enumerate(saved.steps):
        if isinstance(step, PutDeployment):
            first.setdefault(target_of(step), (number, step))
    for target, (number, step) in first.items():
        now = documents.get(target)
        if now is not None and (change := _read_otherwise(step.before, now, ours.get(target))):
            return Change(field=f"steps[{number}].{change.field}", before=change.before, after=change.after)
    return None


def _read_otherwise(planned: Document, now: Document, wrote: Document | None) -> Change | None:
    """How a body differs from the one that a plan was made from, but for what this run itself wrote."""
    if wrote is not None and same_deployment(wrote, now) is None:
        return None
    if change := same_deployment(planned, now):
        return Change(field=f"before.{change.field}", before=change.before, after=change.after)
    if _edited(planned) != _edited(now):
        return Change(field=f"before.{_EDITED}", before=at(planned, _EDITED), after=at(now, _EDITED))
    return None


def _step_moved(saved: Step, fresh: Step, ours: Mapping[str, Document]) -> Change | None:
    match saved, fresh:
        case PutDeployment(), PutDeployment() if saved.deployment.lower() == fresh.deployment.lower():
            if change := _read_otherwise(saved.before, fresh.before, ours.get(saved.deployment.lower())):
                return change
            return _prefixed("after", same_deployment(saved.after, fresh.after))
        case PutSavedSearch(), PutSavedSearch() if saved.saved_search.lower() == fresh.saved_search.lower():
            wrote = ours.get(saved.saved_search.lower())
            planned = wrote if wrote is not None else saved.before
            return _prefixed("before", _first(_properties(planned), _properties(fresh.before))) or _prefixed(
                "after", _first(_properties(saved.after), _properties(fresh.after))
            )
        case RunScript(), RunScript() if saved.machine.lower() == fresh.machine.lower():
            return _first(
                {"script": saved.script, "parameters": {**saved.parameters}},
                {"script": fresh.script, "parameters": {**fresh.parameters}},
            )
        case AwaitIdentity(), AwaitIdentity() if saved.machine.lower() == fresh.machine.lower():
            return _first(saved.not_source_computer_id, fresh.not_source_computer_id)
        case RegisterProvider(), RegisterProvider() if saved.subscription == fresh.subscription:
            return _first(
                {"namespace": saved.namespace, "registrationState": saved.state_before},
                {"namespace": fresh.namespace, "registrationState": fresh.state_before},
            )
        case StartMachine(), StartMachine() if saved.machine.lower() == fresh.machine.lower():
            return _first({"power": saved.power_before}, {"power": fresh.power_before})
        case SetDailyQuota(), SetDailyQuota() if saved.workspace.lower() == fresh.workspace.lower():
            return _first(
                {"before": {"dailyQuotaGb": saved.gb_before}, "after": {"dailyQuotaGb": saved.gb_after}},
                {"before": {"dailyQuotaGb": fresh.gb_before}, "after": {"dailyQuotaGb": fresh.gb_after}},
            )
        case _:
            return Change(field="target", before=_target(saved), after=_target(fresh))


def _edited(body: Document) -> Json | datetime:
    """When a body was last saved, as a time where it is one: Azure does not always write it alike."""
    text = at(body, _EDITED)
    return parse_time(text) or text


def _first(before: Json, after: Json) -> Change | None:
    return next(differences(before, after), None)


def _properties(search: Document) -> Json:
    """A saved search without its ETag, which changes when nothing else does."""
    return {"properties": search.get("properties")}


def _prefixed(prefix: str, change: Change | None) -> Change | None:
    return Change(field=f"{prefix}.{change.field}", before=change.before, after=change.after) if change else None


def since_the_plan(change: Change) -> str:
    """A difference in words for people."""
    return f"{change.field} was {short(change.before)} when the plan was made, and is {short(change.after)}"


def short(value: Json) -> str:
    """As much of a value as a sentence bears."""
    text = str(value)
    return text if len(text) <= 120 else f"{text[:117]}..."


def target_of(step: Step) -> str:
    """The lower-case id of what a step changes or watches."""
    return _target(step).lower()


def _target(step: Step) -> str:
    match step:
        case PutDeployment():
            return step.deployment
        case PutSavedSearch():
            return step.saved_search
        case RunScript() | AwaitIdentity() | StartMachine():
            return step.machine
        case RegisterProvider():
            return f"/subscriptions/{step.subscription}/providers/{step.namespace}"
        case SetDailyQuota():
            return step.workspace
