"""Software update configurations as bodies: what may be sent back, and when two of them say the same."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from model.documents import ABSENT, Change, Document, Json, at, list_at, text_at
from model.times import parse_duration, parse_time

SERVER_OWNED: Final = frozenset(
    {
        "id",
        "name",
        "type",
        "properties.provisioningState",
        "properties.error",
        "properties.creationTime",
        "properties.createdBy",
        "properties.lastModifiedTime",
        "properties.lastModifiedBy",
        "properties.scheduleInfo.nextRun",
        "properties.scheduleInfo.nextRunOffsetMinutes",
        "properties.scheduleInfo.startTimeOffsetMinutes",
        "properties.scheduleInfo.expiryTimeOffsetMinutes",
        "properties.scheduleInfo.creationTime",
        "properties.scheduleInfo.lastModifiedTime",
    }
)
"""What the service writes itself: never sent, and no difference between two bodies."""

_TARGETS: Final = (
    "properties.updateConfiguration.azureVirtualMachines",
    "properties.updateConfiguration.nonAzureComputerNames",
    "properties.updateConfiguration.targets.azureQueries",
    "properties.updateConfiguration.targets.nonAzureQueries",
)
_TIMES: Final = frozenset({"startTime", "expiryTime"})
_WORDS: Final = frozenset(
    {"operatingSystem", "rebootSetting", "frequency", "timeZone", "filterOperator", "day", "workspaceId"}
)
"""Fields whose text Azure takes and gives back in any case."""
_WORD_LISTS: Final = frozenset({"includedUpdateClassifications", "includedPackageClassifications"})
"""Several words in one text, in the service's own order."""


def body_to_put(document: Document) -> Document:
    """A copy that may be PUT: everything that was read, without what the service writes itself."""
    body = _without(document, "")
    assert isinstance(body, dict)  # noqa: S101 - an object stays one
    return body


def _without(value: Json, path: str) -> Json:
    if not isinstance(value, dict):
        return copy.deepcopy(value)
    prefix = f"{path}." if path else ""
    return {key: _without(v, prefix + key) for key, v in value.items() if prefix + key not in SERVER_OWNED}


def has_targets(document: Document) -> bool:
    """True where the deployment patches anything; one that names nothing must not be saved."""
    return any(list_at(document, path) for path in _TARGETS)


def start_of(document: Document) -> datetime | None:
    """When the schedule starts."""
    return parse_time(at(document, "properties.scheduleInfo.startTime"))


def start_text(document: Document, start: datetime) -> str | None:
    """A start on the clock of the deployment's own time zone, with its offset; None where the zone is unknown.

    The service has been seen to ignore the offset and to read the clock in `timeZone`, so both have to be right.
    `document` is as the service gives it, and `start` its next run or one under the same offset.
    """
    zone = text_at(document, "properties.scheduleInfo.timeZone")
    offset = at(document, "properties.scheduleInfo.nextRunOffsetMinutes")
    if zone in {"", "Etc/UTC", "UTC"}:
        local = start.astimezone(UTC)
    else:
        try:
            local = start.astimezone(ZoneInfo(zone))
        except (ZoneInfoNotFoundError, ValueError, OSError):
            # Windows zone names are not in the IANA list, but the service sends the offset of the next run along.
            if isinstance(offset, bool) or not isinstance(offset, int | float) or abs(offset) > 14 * 60:
                return None
            local = start.astimezone(timezone(timedelta(minutes=offset)))
    return local.isoformat(timespec="seconds")


def with_start(body: Document, text: str) -> Document:
    """A copy of a body whose schedule starts at `text`."""
    moved = copy.deepcopy(body)
    properties = moved.get("properties")
    schedule = properties.get("scheduleInfo") if isinstance(properties, dict) else None
    if isinstance(schedule, dict):
        schedule["startTime"] = text
    return moved


def same_deployment(before: Document, after: Document) -> Change | None:
    """The first field in which two bodies differ for Azure, or None where they say the same.

    Nulls, empty texts and empty lists count as absent. Times are instants to the minute (the service cuts seconds
    off), durations are lengths, and the entries of a list of plain values have no order.
    """
    return next(iter(_differences(body_to_put(before), body_to_put(after), "")), None)


_OF_SINGLE_MACHINES: Final = (
    "properties.updateConfiguration.azureVirtualMachines",
    "properties.updateConfiguration.nonAzureComputerNames",
)
_OF_EVERY_EDIT: Final = ("properties.scheduleInfo.startTime", "properties.scheduleInfo.description")


def concerns_all(before: Document, after: Document) -> bool:
    """True where an edit changes how a deployment patches, and not only which machines it names."""
    changes = _differences(body_to_put(before), body_to_put(after), "")
    return any(not change.field.startswith((*_OF_SINGLE_MACHINES, *_OF_EVERY_EDIT)) for change in changes)


@dataclass(frozen=True, slots=True)
class _Nothing:
    """Stands for absent, so that it equals nothing else."""


type _Comparable = str | bool | int | float | datetime | timedelta | frozenset[object] | _Nothing


def _differences(before: Json, after: Json, path: str) -> Iterable[Change]:
    if isinstance(before, dict) or isinstance(after, dict):
        left, right = _object(before), _object(after)
        if left is None or right is None:
            yield _change(path, before, after)
            return
        for name in [*left, *(n for n in right if n not in left)]:
            yield from _differences(left.get(name), right.get(name), f"{path}.{name}" if path else name)
    elif _holds_objects(before) or _holds_objects(after):
        left_items, right_items = _list(before), _list(after)
        if left_items is None or right_items is None or len(left_items) != len(right_items):
            yield _change(path, before, after)
            return
        for index, (one, other) in enumerate(zip(left_items, right_items, strict=True)):
            yield from _differences(one, other, f"{path}[{index}]")
    elif _plain(before, path) != _plain(after, path):
        yield _change(path, before, after)


def _object(value: Json) -> Document | None:
    """Absent and empty are one; None where it is something else."""
    return {} if value is None else value if isinstance(value, dict) else None


def _list(value: Json) -> list[Json] | None:
    return [] if value is None else value if isinstance(value, list) else None


def _holds_objects(value: Json) -> bool:
    return isinstance(value, list) and any(isinstance(item, dict | list) for item in value)


def _plain(value: Json, path: str) -> _Comparable:
    """What Azure compares: two values that are equal here are the same to it."""
    match value:
        case None | [] | "":
            return _Nothing()
        case list():
            # Tags tell their values' case apart; ids, names and words do not.
            cased = ".tags." in path
            return frozenset(v.lower() if isinstance(v, str) and not cased else repr(v) for v in value)
        case str():
            return _text(value, path.rsplit(".", 1)[-1])
        case bool():
            # Else True would equal the number 1.
            return repr(value)
        case int() | float():
            return value
        case dict():
            raise AssertionError("objects are compared field by field")


def _text(value: str, key: str) -> _Comparable:
    if key == "expiryTime" and value.startswith("9999-12-31"):
        # Never, in whatever zone: the last instant there is may not even be expressible in another one.
        return "never"
    if key in _TIMES and (moment := parse_time(value)):
        return moment.replace(second=0, microsecond=0)
    if key == "duration" and (length := parse_duration(value)) is not None:
        return length
    if key in _WORD_LISTS:
        return frozenset(word.strip().lower() for word in value.split(",") if word.strip())
    return value.lower() if key in _WORDS else value


def _change(path: str, before: Json, after: Json) -> Change:
    return Change(field=path, before=ABSENT if before is None else before, after=ABSENT if after is None else after)
