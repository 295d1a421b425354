"""What agents complain about in their event log, and to which failure state each complaint belongs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from detectors.error_texts import ErrorText, SeenIn, meaning, plain_text
from detectors.protocol import Detector, unreadable
from model.facts import Facts, Row
from model.findings import Detection, Finding, Unknown
from model.resource_ids import InvalidResourceId, subscription_of
from model.times import format_time, parse_time

COMPLAINTS: Final = "agent-complaints"
COLLECTED: Final = "agent-log-collected"
QUERIES: Final = frozenset({COMPLAINTS, COLLECTED})
"""The queries of every detector that listens to the agents."""
AGENT_LOG: Final = "Operations Manager"
WORKER_LOG: Final = "Microsoft-SMA/Operational"
SHOWN: Final = 500
"""Characters of a complaint that a finding shows."""
MOST_NAMED: Final = 50
"""Machines that a finding on a cause lists; how many they are is told beside it."""
_BY_NAME: Final = "name:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Complaint:
    """The newest of one kind of complaint from one machine."""

    target: str
    """Lower-case resource id, or `name:<computer>` for a machine that has none."""
    name: str
    computer: str
    text: str
    """In one line."""
    event: int
    times: int
    first: datetime | None
    last: datetime | None
    means: ErrorText | None
    """None where nobody knows the text."""


def complaints(facts: Facts) -> Iterator[Complaint]:
    """Everything that agents complained about within a day, but for those of machines that are gone."""
    for row in facts.rows.get(COMPLAINTS, ()):
        target = str(row.get("MachineId") or "")
        event = row.get("EventID")
        if target in {"", _BY_NAME} or not isinstance(event, int) or not _exists(target, facts):
            continue
        machine = facts.machines.get(target)
        computer = str(row.get("Computer") or "")
        text = plain_text(str(row.get("Text") or ""))
        times = row.get("Times")
        yield Complaint(
            target=target,
            name=machine.name if machine else computer or target,
            computer=computer,
            text=text,
            event=event,
            times=times if isinstance(times, int) else 1,
            first=_time(row, "First"),
            last=_time(row, "Last"),
            means=meaning(text, SeenIn.EVENT_15011 if event == 15011 else SeenIn.EVENT_4502),
        )


def told_by_agents(detector: Detector, facts: Facts, log: str = AGENT_LOG) -> Iterator[Detection]:
    """A finding for each machine whose agent says that it is in the detector's state, or that nobody can hear."""
    if gap := unheard(detector, facts, log):
        yield gap
        return
    by_machine: dict[str, list[Complaint]] = {}
    for complaint in complaints(facts):
        if complaint.means and complaint.means.state is detector.finds:
            by_machine.setdefault(complaint.target, []).append(complaint)
    for target in sorted(by_machine):
        yield finding_of(detector, by_machine[target])


def unheard(detector: Detector, facts: Facts, log: str = AGENT_LOG) -> Unknown | None:
    """Unknown as a whole, where nobody collects what the agents write."""
    if gap := unreadable(detector, facts):
        return gap
    collected = {str(row.get("EventLog")).lower() for row in facts.rows.get(COLLECTED, ())}
    if log.lower() not in collected:
        missing = f"events of the log {log}: the workspace got none within a week, so it may not collect that log"
        return Unknown(state=detector.finds, target="", missing=missing)
    return None


def finding_of(detector: Detector, said: list[Complaint]) -> Finding:
    """One machine's complaints of one state as one finding, told by the newest of them."""
    newest = max(said, key=lambda one: (one.last is not None, one.last, one.text))
    began = [one.first for one in said if one.first]
    means = newest.means
    return Finding(
        state=detector.finds,
        target=newest.target,
        name=newest.name,
        reason=f"its agent says: {means.means}" if means else f"its agent says: {newest.text[:SHOWN]}",
        since=min(began, default=None),
        evidence={
            "computer": newest.computer,
            "event": newest.event,
            "cause": means.id if means else "unclassified",
            "text": newest.text[:SHOWN],
            "times": sum(one.times for one in said),
            "last": format_time(newest.last) if newest.last else None,
        },
    )


def _exists(target: str, facts: Facts) -> bool:
    """False for a machine that the inventory would have if it still existed."""
    if target in facts.machines or target.startswith(_BY_NAME):
        return True
    try:
        return subscription_of(target) not in facts.subscriptions
    except InvalidResourceId:
        return False


def _time(row: Row, column: str) -> datetime | None:
    return parse_time(row.get(column))
