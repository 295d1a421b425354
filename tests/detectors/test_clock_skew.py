"""Machines whose clock is ahead."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from detectors.clock_skew import ClockSkew
from model.documents import Document
from model.facts import Facts, Row
from model.findings import Finding
from tests.builders import HOUR, MINUTE, NOW, a_machine, facts, guid, swapped, vm
from tests.detectors.answers import answer, unknown
from tests.detectors.test_queries import a_heartbeat, answered, stamp

WEB = a_machine("web-01")
SECOND = timedelta(seconds=1)


def a_row(ahead: timedelta, **more: str) -> Document:
    """A row of `clock-skew.kql`."""
    row: Document = {
        "MachineId": WEB.id,
        "Computer": "web-01.contoso.com",
        "OSType": "Windows",
        "VmId": WEB.vm_id,
        "SourceComputerId": guid("agent"),
        "Stamped": stamp(NOW + ahead),
    }
    return row | more


def world(*rows: Row) -> Facts:
    return facts(machines=[WEB], rows={"clock-skew": rows})


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (a_row(3 * HOUR), "found"),
        # A quarter of an hour is what the service forgives.
        (a_row(15 * MINUTE), "nothing"),
        (a_row(15 * MINUTE + SECOND), "found"),
        (a_row(3 * HOUR, VmId=swapped(WEB.vm_id).upper()), "found"),
        # Built anew under the same resource id: that was another machine's clock.
        (a_row(3 * HOUR, VmId=guid("old self")), "nothing"),
        (a_row(3 * HOUR, VmId=""), "unknown"),
        (a_row(3 * HOUR, MachineId=vm("gone").lower()), "nothing"),
        (a_row(3 * HOUR, MachineId=f"vmuuid:{WEB.vm_id}"), "nothing"),
        (a_row(3 * HOUR, Stamped="soon"), "nothing"),
    ],
)
def test_a_beat_from_the_future_tells_a_clock_that_is_ahead(row: Row, said: str) -> None:
    assert answer(ClockSkew().detect(world(row))) == said


def test_the_finding_says_how_far() -> None:
    (finding,) = ClockSkew().detect(world(a_row(3 * HOUR + 20 * MINUTE)))

    assert isinstance(finding, Finding)
    assert finding.evidence["aheadSeconds"] == 12_000
    assert "3 h 20 min" in finding.reason


def test_what_was_not_read_makes_the_whole_state_unknown() -> None:
    read = replace(world(a_row(HOUR)), unreadable=facts(unreadable={"clock-skew": "504"}).unreadable)

    assert unknown(ClockSkew().detect(read)) == {"": "504"}


def test_the_query_answers_the_newest_beat_of_the_machines_that_are_ahead() -> None:
    sql = a_machine("sql-01")
    rows = answered(
        "clock-skew",
        Heartbeat=[
            a_heartbeat(WEB, guid("agent"), ago=-HOUR),
            a_heartbeat(WEB, guid("agent"), ago=-3 * HOUR),
            a_heartbeat(sql, guid("other"), ago=-4 * MINUTE),
            a_heartbeat(a_machine("new"), guid("new"), ago=-HOUR, category="Azure Monitor Agent"),
        ],
    )

    assert [(row["MachineId"], row["Stamped"]) for row in rows] == [(WEB.id, stamp(NOW + 3 * HOUR))]
