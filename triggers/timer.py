"""The nightly sweep."""

from __future__ import annotations

import asyncio
import logging
import os
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import azure.functions as func

from triggers.durable import Blueprint, Client, new_blueprint
from triggers.problems import EngineFor
from triggers.starting import begin

if TYPE_CHECKING:
    from engine.engine import Engine
    from engine.requests import SweepRequest

log = logging.getLogger("patchwright")

DEFAULT_SCHEDULE: Final = "0 0 2 * * *"
_EARLY: Final = timedelta(seconds=2)
"""A timer of the host may fire a moment before its time."""


def blueprint(engine: EngineFor) -> Blueprint:
    functions = new_blueprint()
    # The host refuses a function whose `%NAME%` is no setting, so the default has to stand in its place.
    schedule = "%SWEEP_SCHEDULE%" if os.environ.get("SWEEP_SCHEDULE", "").strip() else DEFAULT_SCHEDULE

    @functions.timer_trigger(schedule=schedule, arg_name="timer", run_on_startup=False, use_monitor=True)
    @functions.durable_client_input(client_name="client")
    async def nightly_sweep(timer: func.TimerRequest, client: Client) -> None:
        """One sweep for each time of the schedule, however late, and however often it is delivered."""
        ready = await asyncio.to_thread(engine)
        request = await asyncio.to_thread(_request, ready)
        if timer.past_due:
            log.warning("the nightly sweep is late", extra={"run": request.run})
        if not await begin(ready, client, request):
            log.info("this night was swept already", extra={"run": request.run})

    return functions


def _request(engine: Engine) -> SweepRequest:
    """The sweep of the schedule's last time: after a week without the app it is one sweep, not seven."""
    from engine.requests import SweepRequest  # noqa: PLC0415 - the app's start must not pay
    from triggers.ncrontab import Schedule  # noqa: PLC0415 - as above

    now = engine.clock.now()
    due = Schedule.parse(engine.settings.sweep_schedule).last_until(now + _EARLY) or now
    return SweepRequest(run=f"{due:%Y%m%dT%H%M%S}-timer", trigger="timer", dry_run=engine.settings.dry_run)
