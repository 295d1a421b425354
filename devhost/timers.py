"""Fires the app's timer functions by their schedules."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from devhost.worker import Function, InvocationFailed, Message, Worker
from engine.ports import AzureUnavailable, Clock
from model.documents import Document, text_at
from model.times import format_time
from triggers.ncrontab import InvalidSchedule, Schedule

if TYPE_CHECKING:
    from collections.abc import Mapping

log = logging.getLogger("devhost")

_LOOK: Final = 1.0
"""Seconds between two looks at the clock: the simulated Azure's moves when somebody moves it."""
_LATE: Final = timedelta(minutes=1)


class Timers:
    """The timer functions of one app."""

    def __init__(self, worker: Worker, clock: Clock, client: Message) -> None:
        """`client` is what a function that takes the Durable client is given."""
        self._worker = worker
        self._clock = clock
        self._client = client

    async def run(self) -> None:
        """Fire whatever becomes due, until cancelled. Several missed times are one late call, as in Azure."""
        schedules = self._schedules()
        due: dict[str, datetime | None] = {}
        while schedules:
            try:
                now = await asyncio.to_thread(self._clock.now)
            except AzureUnavailable:
                await asyncio.sleep(_LOOK)
                continue
            for name, schedule in schedules.items():
                when = due.setdefault(name, schedule.next_after(now))
                if when is not None and when <= now:
                    due[name] = schedule.next_after(now)
                    await self.fire(self._worker.functions[name], past_due=now - when > _LATE)
            await asyncio.sleep(_LOOK)

    def _schedules(self) -> dict[str, Schedule]:
        found: dict[str, Schedule] = {}
        for name, function in self._worker.functions.items():
            if function.kind == "timertrigger":
                try:
                    found[name] = schedule_of(function, os.environ)
                except (InvalidSchedule, KeyError) as error:
                    # As in Azure: this function is in error, the others work.
                    log.error("the function %s is in error: %s", name, error)  # noqa: TRY400 - the message says it all
        return found

    async def fire(self, function: Function, *, past_due: bool = False) -> None:
        """Call a timer function now."""
        now = await asyncio.to_thread(self._clock.now)
        info: Document = {
            "Schedule": {"AdjustForDST": True},
            "ScheduleStatus": _status(now, schedule_of(function, os.environ)),
            "IsPastDue": past_due,
        }
        inputs = {text_at(function.trigger, "name"): Message(json=json.dumps(info))}
        if function.client:
            inputs[function.client] = self._client
        try:
            await self._worker.invoke(function.name, inputs)
        except InvocationFailed as error:
            log.error("timer %s failed: %s", function.name, error)  # noqa: TRY400 - the trace is the app's, and logged there


def schedule_of(function: Function, settings: Mapping[str, str]) -> Schedule:
    """The schedule, with `%NAME%` replaced by the setting. Raises `InvalidSchedule` and KeyError, as the host would."""
    text = text_at(function.trigger, "schedule")
    return Schedule.parse(re.sub(r"%(\w+)%", lambda found: settings[found[1]], text))


def _status(now: datetime, schedule: Schedule) -> Document:
    last, following = schedule.last_until(now), schedule.next_after(now)
    return {
        "Last": format_time(last or now),
        "Next": format_time(following or now),
        "LastUpdated": format_time(last or now),
    }
