"""Starts a sweep's process once, however often it is asked for."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from triggers.durable import Client
from triggers.problems import Problem

if TYPE_CHECKING:
    from engine.engine import Engine
    from engine.requests import SweepRequest

log = logging.getLogger("patchwright")

_STARTING: Final = timedelta(seconds=30)
"""How long whoever wrote a run down is left to start it."""


async def begin(engine: Engine, client: Client, request: SweepRequest) -> bool:
    """Write the run down and start its process; False where an earlier delivery of the same request did.

    An earlier delivery that wrote the run down and died before it started anything is made good.

    Raises:
        Problem: it cannot be started now; the same request can be made again.
    """
    if not await asyncio.to_thread(engine.accept, request):
        if await asyncio.to_thread(_under_way, engine, request.run) or await client.get_status(request.run):
            return False
        await asyncio.to_thread(engine.reopen, request.run)
    try:
        await client.start_new("sweep", request.run, request.document)
    except Exception as error:  # the client raises nothing narrower
        # Two deliveries at the same moment: the host takes one of them.
        if await _exists(client, request.run):
            return False
        log.exception("sweep not started", extra={"run": request.run})
        await asyncio.to_thread(engine.fail, request.run, "it could not be started")
        raise Problem(503, "the sweep could not be started; the log says why", retry_after=30) from error
    log.info("sweep started", extra={"run": request.run, "trigger": request.trigger, "dryRun": request.dry_run})
    return True


def _under_way(engine: Engine, run: str) -> bool:
    """True where the ledger alone tells that the process was started, or is just being started by somebody else."""
    entries = engine.ledger.entries(run, kinds=frozenset({"run", "surveyed", "status"}))
    if any(entry.kind == "surveyed" for entry in entries):
        return True
    failed = entries[-1].body.get("status") == "failed" if entries else False
    return not failed and any(entry.kind == "run" and engine.clock.now() - entry.at < _STARTING for entry in entries)


async def _exists(client: Client, run: str) -> bool:
    try:
        return bool(await client.get_status(run))
    except Exception:  # the client raises nothing narrower, and the caller tells of the first failure
        return False
