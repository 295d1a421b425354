"""A deployment's maintenance window is too short for its updates."""

from __future__ import annotations

from typing import Any

import pytest

from detectors.maintenance_window_exceeded import MaintenanceWindowExceeded
from model.facts import Facts
from model.findings import Finding
from tests.builders import (
    DAY,
    HOUR,
    MINUTE,
    NOW,
    a_body,
    a_machine,
    a_machine_run,
    a_run,
    facts,
    guid,
    update_deployment,
)
from tests.detectors.answers import answer, found, unknown

WEEKLY = update_deployment("Weekly").lower()
LATE, OTHER = a_machine("late-01"), a_machine("other-01")
LATE_AGENT, OTHER_AGENT = guid("late agent"), guid("other agent")
EXCEEDED = "MaintenanceWindowExceeded"


def runs(*statuses: str, hours: float = 2) -> list[Any]:
    """Weekly runs, the newest last."""
    first = NOW - len(statuses) * 7 * DAY + DAY
    return [
        a_run(f"run-{n}", status=status, start=first + n * 7 * DAY, duration=hours * HOUR)
        for n, status in enumerate(statuses)
    ]


def world(*statuses: str, body: dict[str, Any] | None = None, hours: float = 2, **rest: Any) -> Facts:
    """The newest run ran out of its two hours on one machine, but for what the case says."""
    statuses = statuses or ("Succeeded", "Succeeded", EXCEEDED)
    newest = f"run-{len(statuses) - 1}"
    parts = [a_machine_run(LATE, run=newest, status=EXCEEDED, source=LATE_AGENT)]
    rest = {"machine_runs": parts, "runs": runs(*statuses, hours=hours)} | rest
    return facts(bodies=[a_body(**{"machines": [LATE, OTHER]} | (body or {}))], **rest)


def failed(source: str, *, run: str = "run-2") -> dict[str, Any]:
    """Log Analytics saw an update fail with an error of its own."""
    return {"failed-installations": [{"RunId": run, "SourceComputerId": source, "Failures": 1, "Code": "0x80244019"}]}


def parts(*, late_error: str = "", late_source: str = LATE_AGENT, other_error: str | None = None) -> list[Any]:
    found = [a_machine_run(LATE, run="run-2", status=EXCEEDED, source=late_source, error=late_error)]
    if other_error is not None:
        found.append(a_machine_run(OTHER, run="run-2", status="Failed", source=OTHER_AGENT, error=other_error))
    return found


TABLE: list[tuple[str, Facts, str]] = [
    ("the newest run exceeded", world(), "found"),
    ("only an older one did", world("Succeeded", EXCEEDED, "Succeeded"), "nothing"),
    ("it failed instead", world(EXCEEDED, "Failed"), "nothing"),
    ("the only run exceeded", world(EXCEEDED), "found"),
    ("never ran", world(runs=[]), "nothing"),
    ("a status that nobody has heard of", world("Succeeded", "Paused"), "nothing"),
    # A run that goes on now tells nothing yet, and does not take back what the one before it told.
    ("the next run is under way", world(EXCEEDED, "InProgress"), "unknown"),
    ("the next run is about to start", world(EXCEEDED, "NotStarted"), "unknown"),
    ("a run is under way after a good one", world("Succeeded", "InProgress"), "nothing"),
    # The window that was exceeded has to be the one it has now.
    ("widened since", world(body={"duration": 3 * HOUR}), "unknown"),
    ("widened by a minute since", world(body={"duration": 2 * HOUR + MINUTE}), "unknown"),
    ("made shorter since: too short all the more", world(body={"duration": HOUR}), "found"),
    ("widened, and exceeded again", world(body={"duration": 3 * HOUR}, hours=3), "found"),
    ("widened, and succeeded", world(EXCEEDED, "Succeeded", body={"duration": 3 * HOUR}), "nothing"),
    ("the deployment does not say its window", world(body={"duration": None}), "unknown"),
    ("the run does not say its window",
     world(runs=[a_run(status=EXCEEDED, duration=None)], machine_runs=[]), "unknown"),
    # What will not run again needs no wider window.
    ("disabled", world(body={"enabled": False}), "nothing"),
    ("a one-time deployment long past", world(body={"frequency": "OneTime", "next_run": NOW - 25 * DAY}), "nothing"),
    ("a one-time deployment without a next run", world(body={"frequency": "OneTime", "next_run": None}), "nothing"),
    ("a one-time deployment, due this very moment", world(body={"frequency": "OneTime", "next_run": NOW}), "nothing"),
    ("a one-time deployment to come", world(body={"frequency": "OneTime", "next_run": NOW + MINUTE}), "found"),
    ("a schedule that has expired", world(body={"next_run": None, "expires": "2026-03-01T00:00:00+00:00"}), "nothing"),
    ("a schedule without a next run", world(body={"next_run": None}), "unknown"),
    ("enabled or not: it does not say", world(body={"enabled": None}), "unknown"),
    ("deleted meanwhile", world(without=[WEEKLY]), "nothing"),
    ("not to be read in full", world(without=[WEEKLY], unreadable={WEEKLY: "GET: 429"}), "unknown"),
    # An error of its own comes first: it may be what used the window up.
    ("an update failed on the machine that was late", world(rows=failed(LATE_AGENT)), "nothing"),
    ("one failed on another machine", world(rows=failed(OTHER_AGENT)), "found"),
    ("one failed in an earlier run", world(rows=failed(LATE_AGENT, run="run-1")), "found"),
    ("one failed, and who was late is not known", world(rows=failed(OTHER_AGENT), machine_runs=[]), "nothing"),
    ("one failed on a machine that is not named", world(rows=failed("")), "nothing"),
    ("the late machine reports an HRESULT",
     world(machine_runs=parts(late_error="Exception from HRESULT: 0x8024402C")), "nothing"),
    ("in capitals", world(machine_runs=parts(late_error="0X80072EE2")), "nothing"),
    ("as a signed number", world(machine_runs=parts(late_error="scan ended with -2145107924")), "nothing"),
    ("words without a code",
     world(machine_runs=parts(late_error="the window was exceeded after 120 minutes")), "found"),
    ("another machine reports one", world(machine_runs=parts(other_error="0x8024402C")), "found"),
    ("another reports one, and who was late is not known",
     world(machine_runs=parts(late_source="", other_error="0x8024402C")), "nothing"),
]  # fmt: skip


@pytest.mark.parametrize(("facts_", "expected"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_a_window_is_too_short_where_the_newest_run_exceeded_it(facts_: Facts, expected: str) -> None:
    assert answer(MaintenanceWindowExceeded().detect(facts_)) == expected


@pytest.mark.parametrize("reading", ["deployments", "runs", "machine-runs", "failed-installations"])
def test_what_was_not_read_makes_the_whole_state_unknown(reading: str) -> None:
    """Without the failed installations, for one, a wider window might be the wrong cure."""
    said = list(MaintenanceWindowExceeded().detect(world(unreadable={reading: "PartialError"})))

    assert found(said) == []
    assert unknown(said) == {"": "PartialError"}


@pytest.mark.parametrize(
    ("statuses", "least", "expected"),
    [
        ((EXCEEDED, "Succeeded", EXCEEDED), 2, "found"),
        (("Succeeded", "Succeeded", EXCEEDED), 2, "nothing"),
        # The fourth from the end is too long ago to count.
        ((EXCEEDED, "Succeeded", "Succeeded", EXCEEDED), 2, "nothing"),
        ((EXCEEDED, EXCEEDED, "Succeeded"), 2, "nothing"),
    ],
)
def test_a_site_may_ask_for_more_than_one_exceeded_run(statuses: tuple[str, ...], least: int, expected: str) -> None:
    """Two of the last three, say; the newest has to be one of them."""
    detector = MaintenanceWindowExceeded(exceeded_runs=least)

    assert answer(detector.detect(world(*statuses))) == expected


def test_a_closer_look_is_taken_at_deployments_that_exceeded_and_at_no_other() -> None:
    assert MaintenanceWindowExceeded().suspects(world()) == {WEEKLY}
    assert MaintenanceWindowExceeded().suspects(world("Succeeded")) == frozenset()


def test_the_finding_says_how_often_and_since_when() -> None:
    (finding,) = MaintenanceWindowExceeded().detect(world("Succeeded", EXCEEDED, EXCEEDED))

    assert isinstance(finding, Finding)
    assert finding.reason == "2 of the last 3 runs exceeded the window of 2 h"
    assert finding.since == NOW - 13 * DAY
    assert finding.evidence["duration"] == "PT2H"
    assert finding.evidence["exceededRuns"] == ["run-2", "run-1"]
