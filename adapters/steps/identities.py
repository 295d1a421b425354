"""Waiting for a machine's agent to take a new identity; only reads."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Final

from adapters.log_queries import answer_query
from adapters.steps.door import Door, began, since
from engine.ports import StepDone, StepFailed, StepPending, StepProgress
from model.documents import Document
from model.facts import Unreadable
from model.plans import AwaitIdentity
from model.resource_ids import ResourceId

LOOK_AGAIN: Final = timedelta(minutes=2)
"""A beat a minute, and a minute or two until Log Analytics shows it."""


def begin(door: Door, step: AwaitIdentity) -> StepProgress:
    """Look at once, and remember since when."""
    return check(door, step, began(door))


def check(door: Door, step: AwaitIdentity, token: Document) -> StepProgress:
    """Done when the newest beat came under another identity."""
    found = answer_query(door.sdk, step.workspace_guid, "identity", query(step.machine))
    waiting = "the machine has not beaten under a new identity"
    match found:
        case Unreadable(what=what):
            waiting = what
        case rows:
            identities = {str(row.get("SourceComputerId")) for row in rows}
            if len(rows) == 1 and step.not_source_computer_id.lower() not in identities:
                return StepDone(result={"sourceComputerId": rows[0].get("SourceComputerId")})
    if since(door, token) >= step.time_out:
        return StepFailed(reason=f"{waiting} after {int(step.time_out.total_seconds()) // 60} min")
    return StepPending(look_again=LOOK_AGAIN, token=token)


def query(machine: str) -> str:
    """The query for one machine. Its id goes in as JSON within `dynamic`, never as text of the query."""
    text = (Path(__file__).parent / "identity.log.kql").read_text(encoding="utf-8")
    _, _, rest = text.partition("\n")
    return f"let machines = dynamic({json.dumps([ResourceId.parse(machine).key])});\n{rest}"
