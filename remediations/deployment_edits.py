"""What every edit of a software update configuration has to obey. A PUT replaces the whole object."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from model.deployments import body_to_put, start_text
from model.documents import Document, Json, at, list_at, text_at
from model.facts import Facts
from model.times import in_words, parse_time

_MOST_DESCRIPTION: Final = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Editable:
    """A deployment that may be edited now."""

    document: Document
    next_run: datetime

    def edited(self, **changes: Json) -> Document:
        """The body to PUT, with `updateConfiguration` fields replaced and the start moved to the next run.

        A recurring schedule starts in the past, and Azure takes no start in the past: it begins anew at its next run.
        """
        body = body_to_put(self.document)
        properties = body["properties"]
        assert isinstance(properties, dict)  # noqa: S101 - `editable` has looked
        configuration, schedule = properties["updateConfiguration"], properties["scheduleInfo"]
        assert isinstance(configuration, dict)  # noqa: S101 - as above
        assert isinstance(schedule, dict)  # noqa: S101 - as above
        configuration.update(changes)
        schedule["startTime"] = start_text(self.document, self.next_run)
        return body


def editable(facts: Facts, deployment: str, margin: timedelta) -> Editable | str:
    """The deployment, or in words why it must not be edited now."""
    if unread := facts.missing(deployment):
        return f"the deployment could not be read: {unread.what}"
    document = facts.documents.get(deployment)
    if document is None:
        return "the deployment does not exist any more"
    name = text_at(document, "name")
    if not isinstance(at(document, "properties.updateConfiguration"), dict) or not isinstance(
        at(document, "properties.scheduleInfo"), dict
    ):
        return f"{name} came without its configuration or its schedule"
    state = text_at(document, "properties.provisioningState")
    if state.lower() != "succeeded":
        return f"{name} is not settled: its provisioningState is {state or 'absent'}"
    next_run = parse_time(at(document, "properties.scheduleInfo.nextRun"))
    if next_run is None or next_run <= facts.now:
        return f"{name} has no next run"
    if next_run - facts.now < margin:
        return f"the next run of {name} is only {in_words(next_run - facts.now)} away; wait until it is over"
    if start_text(document, next_run) is None:
        return (
            f"the time zone of {name}, {text_at(document, 'properties.scheduleInfo.timeZone')!r}, cannot be worked out"
        )
    return Editable(document=document, next_run=next_run)


def noted(body: Document, note: str) -> None:
    """Put the note behind what the schedule's description says; where there is no room for both, that stays alone."""
    properties = body.get("properties")
    schedule = properties.get("scheduleInfo") if isinstance(properties, dict) else None
    if isinstance(schedule, dict):
        said = str(schedule.get("description") or "").strip()
        whole = f"{said} {note}".strip()
        schedule["description"] = whole if len(whole) <= _MOST_DESCRIPTION else said


def has_other_targets(document: Document, machine: str) -> bool:
    """True where the deployment still patches something without this machine."""
    configuration = "properties.updateConfiguration"
    others = [vm for vm in list_at(document, f"{configuration}.azureVirtualMachines") if str(vm).lower() != machine]
    return bool(
        others
        or list_at(document, f"{configuration}.nonAzureComputerNames")
        or list_at(document, f"{configuration}.targets.azureQueries")
        or list_at(document, f"{configuration}.targets.nonAzureQueries")
    )
