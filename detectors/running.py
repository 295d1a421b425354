"""Whether a machine runs, and since when at the latest, as its own document tells."""

from __future__ import annotations

from datetime import datetime

from model.documents import Document, at, list_at, text_at
from model.facts import Machine, PowerState
from model.times import parse_time


def may_run(machine: Machine) -> bool:
    """False where the inventory already knows better; an Arc machine is seen only while it is connected."""
    return machine.power is PowerState.RUNNING or (machine.power is PowerState.UNKNOWN and not machine.is_arc)


def runs(machine: Machine, document: Document) -> bool | None:
    """Whether it runs now; None where its document does not say."""
    if machine.is_arc:
        status = text_at(document, "properties.status").lower()
        return status == "connected" if status else None
    codes = [code for code, _ in _statuses(document) if code.startswith("powerstate/")]
    return codes == ["powerstate/running"] if codes else None


def changed_at(machine: Machine, document: Document) -> datetime | None:
    """When its power or its connection last changed, at the latest; None where its document does not say.

    A VM that is started is provisioned anew, which is the only time that Azure keeps of it.
    """
    if machine.is_arc:
        return parse_time(at(document, "properties.lastStatusChange"))
    times = [time for code, time in _statuses(document) if time and code.startswith(("powerstate/", "provisioning"))]
    return max(times, default=None)


def _statuses(document: Document) -> list[tuple[str, datetime | None]]:
    listed = list_at(document, "properties.instanceView.statuses")
    return [(text_at(s, "code").lower(), parse_time(s.get("time"))) for s in listed if isinstance(s, dict)]
