"""Alerts of Azure Monitor: an action group posts, and a sweep looks at what the alert is about."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import azure.functions as func

from triggers.durable import POST, WITH_KEY, Blueprint, Client, new_blueprint
from triggers.problems import EngineFor, answering, body_of, json_response
from triggers.starting import begin

if TYPE_CHECKING:
    from engine.engine import Engine
    from engine.requests import SweepRequest

log = logging.getLogger("patchwright")

_REMEMBERED: Final = timedelta(days=30)
"""How long a delivery is known to be a repetition; action groups give up after minutes, people press buttons later."""


def blueprint(engine: EngineFor) -> Blueprint:
    functions = new_blueprint()

    @functions.route(route="alerts", methods=POST, auth_level=WITH_KEY)
    @functions.durable_client_input(client_name="client")
    @answering
    async def receive_alert(req: func.HttpRequest, client: Client) -> func.HttpResponse:
        """202 where a sweep was started, 200 where there is nothing to do."""
        ready = await asyncio.to_thread(engine)
        found = await asyncio.to_thread(_request, ready, req)
        if isinstance(found, str):
            return json_response({"started": False, "reason": found})
        if not await begin(ready, client, found):
            reason = "this alert was delivered before; its sweep is not repeated"
            return json_response({"started": False, "reason": reason, "id": found.run})
        return json_response({"started": True, "id": found.run}, 202, {"Location": f"/api/runs/{found.run}"})

    return functions


def _request(engine: Engine, req: func.HttpRequest) -> SweepRequest | str:
    """The sweep that an alert asks for, or why it asks for none."""
    from engine.requests import SweepRequest, new_run_id  # noqa: PLC0415 - the app's start must not pay
    from triggers.alert_schema import alert_in, machines_of, states_of  # noqa: PLC0415 - as above

    alert = alert_in(body_of(req, required=True))
    if not alert.fired:
        return "the alert is resolved: nothing to do"
    machines = machines_of(alert, engine.settings)
    if not machines:
        return "the alert is about nothing in the configured scope: an empty selection selects nothing"
    now = engine.clock.now()
    # Whoever claims first names the run; every repetition is told that name, in whatever order they arrive.
    run = engine.ledger.claim(f"alert:{alert.key}", new_run_id(now), now, now + _REMEMBERED)
    return SweepRequest(
        run=run,
        trigger="alert",
        dry_run=engine.settings.dry_run,
        states=states_of(alert),
        machines=machines,
        by=alert.rule[:200],
    )
